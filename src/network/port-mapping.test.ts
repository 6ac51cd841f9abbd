import { expect, test } from 'vitest';
import { formatHostPort, parsePortMappings } from './port-mapping.ts';

test.each([
  ['80', [{ protocol: 'tcp', hostPort: 0, containerPort: 80 }]],
  ['8080:80', [{ protocol: 'tcp', hostPort: 8080, containerPort: 80 }]],
  ['8080:80/UDP', [{ protocol: 'udp', hostPort: 8080, containerPort: 80 }]],
  ['127.0.0.1:8080:80', [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 8080, containerPort: 80 }]],
  ['127.0.0.1::80', [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 0, containerPort: 80 }]],
  ['[::1]:8080:80', [{ protocol: 'tcp', hostAddress: '::1', hostPort: 8080, containerPort: 80 }]],
  ['8000-8001:80', [{ protocol: 'tcp', hostPort: 8000, hostPortEnd: 8001, containerPort: 80 }]],
  [
    '8000-8001:90-91',
    [
      { protocol: 'tcp', hostPort: 8000, containerPort: 90 },
      { protocol: 'tcp', hostPort: 8001, containerPort: 91 },
    ],
  ],
])('%s', (text, mappings) => {
  expect(parsePortMappings(text)).toEqual(mappings);
});

test.each([
  ['8080:', 'no port specified: 8080:<empty>'],
  ['x:80', 'invalid hostPort: x'],
  ['8080:x', 'invalid containerPort: x'],
  ['8080:0', 'invalid containerPort: 0'],
  ['8080:65536', 'invalid containerPort: 65536'],
  ['8080:80/sctp', 'invalid proto: sctp'],
  ['8080:80/tcp/udp', 'invalid proto: tcp/udp'],
  ['localhost:8080:80', 'invalid IP address: localhost'],
  ['81-80:80', 'invalid hostPort: 81-80'],
  ['8000-8002:80-81', 'invalid ranges specified for container and host Ports: 80-81 and 8000-8002'],
])('%s is refused', (text, message) => {
  expect(() => parsePortMappings(text)).toThrow(message);
});

test('brackets around IPv6', () => {
  expect(formatHostPort('::', 80)).toBe('[::]:80');
  expect(formatHostPort('0.0.0.0', 80)).toBe('0.0.0.0:80');
});
