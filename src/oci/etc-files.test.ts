import { expect, test } from 'vitest';
import { hostnameFile, hostsFile, parseResolvConf, resolvConf } from './etc-files.ts';

test('/etc/hosts', () => {
  const text = hostsFile(
    [{ address: '10.88.0.2', names: ['web.example', 'web'] }],
    [{ address: '10.88.0.1', names: ['host.docker.internal'] }],
  );
  expect(text.split('\n')[0]).toBe('127.0.0.1\tlocalhost');
  expect(text).toMatch(/\n10\.88\.0\.1\thost\.docker\.internal\n10\.88\.0\.2\tweb\.example web\n$/);
});

test('/etc/hostname', () => expect(hostnameFile('web')).toBe('web\n'));

test('/etc/resolv.conf survives being read and written', () => {
  const text = 'nameserver 10.0.0.1\nnameserver fe80::1%eth0\nsearch a.example b.example\noptions ndots:2 rotate\n';
  expect(resolvConf(parseResolvConf(text))).toBe(text);
});

test('/etc/resolv.conf is read as the C library does', () => {
  const text = '# c\n; c\n\nnameserver\n  nameserver   1.1.1.1 # x\ndomain old.example\nsearch new.example .\nwhat 1\n';
  expect(parseResolvConf(text)).toEqual({ nameservers: ['1.1.1.1'], search: ['new.example'], options: [] });
});
