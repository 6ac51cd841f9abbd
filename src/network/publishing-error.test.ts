import { expect, test } from 'vitest';
import { RefusedError } from './process/client.ts';
import { publishingError } from './publishing-error.ts';

const request = { container: 'a', name: 'web', hostname: 'web', ports: [] };
const port = { hostAddress: '0.0.0.0', hostPort: 8080 };

test('Docker’s words for a taken port', () => {
  const refused = new RefusedError({ message: 'address already in use', code: 'EADDRINUSE', port });
  expect(publishingError(refused, request, 'e1', 'bridge')).toMatchObject({
    code: 'EADDRINUSE',
    message:
      'driver failed programming external connectivity on endpoint web (e1): ' +
      'Bind for 0.0.0.0:8080 failed: port is already allocated',
  });
});

test('other reasons keep their own words, other errors stay as they are', () => {
  const refused = new RefusedError({ message: 'too many files', code: 'EMFILE', port });
  expect((publishingError(refused, request, 'e1', 'bridge') as Error).message).toMatch(/:8080 failed: too many files$/);
  const other = new Error('disk full');
  expect(publishingError(other, request, 'e1', 'bridge')).toBe(other);
});

test('a privileged port comes with the administrator’s line', () => {
  const low = { hostAddress: '127.0.0.1', hostPort: 80 };
  const refused = new RefusedError({ message: 'permission denied', code: 'EACCES', port: low });
  expect((publishingError(refused, request, 'e1', 'bridge') as Error).message).toMatch(
    /: Bind for 127\.0\.0\.1:80 failed: permission denied; .* sysctl -w net\.ipv4\.ip_unprivileged_port_start=80$/,
  );
});
