import { expect, test } from 'vitest';
import { containerFiles, hostFiles } from './container-files.ts';
import type { EndpointRequest } from './driver.ts';

const request: EndpointRequest = { container: 'a', name: 'a', hostname: 'web.example.org', ports: [] };

test('the container knows itself by its full and its short name', () => {
  const { hosts } = containerFiles(request, { addresses: ['10.88.0.2'], host: '10.88.0.1' });
  expect(hosts).toContain('10.88.0.2\tweb.example.org web\n');
  expect(containerFiles(request, { host: '127.0.0.1' }).hosts).not.toContain('web');
});

test('--add-host, and the host by its special name', () => {
  const extraHosts = [
    { address: '192.0.2.7', names: ['build'] },
    { address: 'host-gateway', names: ['me'] },
  ];
  const { hosts } = containerFiles({ ...request, extraHosts }, { host: '10.88.0.1' });
  expect(hosts).toContain('192.0.2.7\tbuild\n10.88.0.1\tme\n');
  expect(hostFiles({ ...request, extraHosts }, '127.0.0.1').hosts).toMatch(/\n192.0.2.7\tbuild\n127.0.0.1\tme\n$/);
});

test('the network’s resolver, unless others are asked for', () => {
  const context = { host: '10.88.0.1', servers: ['10.88.0.1'] };
  expect(containerFiles(request, context).resolvConf).toMatch(/^nameserver 10\.88\.0\.1\n/);
  const dns = { servers: ['192.0.2.53'], search: ['example.org'], options: ['ndots:3'] };
  expect(containerFiles({ ...request, dns }, context).resolvConf).toBe(
    'nameserver 192.0.2.53\nsearch example.org\noptions ndots:3\n',
  );
  expect(containerFiles({ ...request, dns: { search: [], options: [] } }, context).resolvConf).toBe(
    'nameserver 10.88.0.1\n',
  );
});
