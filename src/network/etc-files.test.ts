import { expect, test } from 'vitest';
import { hostsFile, parseResolvConf, resolvConf } from './etc-files.ts';

test('the loopback names and the container’s own', () => {
  const lines = hostsFile([{ address: '10.88.0.2', names: ['web.example', 'web'] }]).split('\n');
  expect(lines[0]).toBe('127.0.0.1\tlocalhost');
  expect(lines.at(-2)).toBe('10.88.0.2\tweb.example web');
  expect(lines.at(-1)).toBe('');
});

test('resolv.conf is read and written', () => {
  const text = `# by hand
; nameserver 1.1.1.1
domain old.example
nameserver 192.0.2.1
nameserver   2001:db8::1
nameserver
search corp.example . example
options ndots:2
options edns0 trust-ad`;
  const settings = parseResolvConf(text);
  expect(settings).toEqual({
    servers: ['192.0.2.1', '2001:db8::1'],
    search: ['corp.example', 'example'],
    options: ['ndots:2', 'edns0', 'trust-ad'],
  });
  expect(resolvConf({ ...settings, servers: ['10.88.0.1'] })).toBe(
    'nameserver 10.88.0.1\nsearch corp.example example\noptions ndots:2 edns0 trust-ad\n',
  );
  expect(resolvConf(parseResolvConf(''))).toBe('');
});
