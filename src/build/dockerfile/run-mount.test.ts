import { expect, test } from 'vitest';
import { parseRunMount } from './run-mount.ts';

test.each([
  ['target=/a', { type: 'bind', source: '/', target: '/a', writable: false }],
  ['type=bind,from=b,source=/x,dst=/y,rw', { type: 'bind', from: 'b', source: '/x', target: '/y', writable: true }],
  [
    'type=cache,target=/root/.cache',
    { type: 'cache', id: '/root/.cache', sharing: 'shared', mode: 0o755, readOnly: false },
  ],
  [
    'type=cache,id=apt,target=/var/cache/apt,sharing=locked,mode=0700,uid=5,gid=6,ro',
    { id: 'apt', sharing: 'locked', mode: 0o700, uid: 5, gid: 6, readOnly: true },
  ],
  ['type=tmpfs,target=/t,size=1m', { type: 'tmpfs', target: '/t', size: '1m' }],
  ['type=secret,id=aws', { type: 'secret', id: 'aws', target: '/run/secrets/aws', mode: 0o400, required: false }],
  ['type=secret,id=aws,target=/root/.aws,required', { target: '/root/.aws', required: true }],
  ['type=secret,id=T,env=TOKEN', { id: 'T', env: 'TOKEN', target: undefined }],
  ['type=secret,target=/a/key', { id: 'key', target: '/a/key' }],
  ['type=ssh', { type: 'ssh', id: 'default', target: undefined, mode: 0o600 }],
  ['type=bind,"source=/a,b",target=/c', { source: '/a,b' }],
])('%s', (text, expected) => {
  expect(parseRunMount(text)).toMatchObject(expected);
});

test.each([
  ['type=bind', 'target of the bind mount is required'],
  ['type=what,target=/a', 'unsupported mount type "what"'],
  ['type=tmpfs,target=/a,id=x', 'unexpected key \'id\' for mount type "tmpfs"'],
  ['type=cache,target=/a,sharing=some', 'unsupported sharing value "some"'],
  ['type=cache,target=/a,mode=9', 'invalid value 9 for mode'],
  ['type=cache,target=/a,uid=x', 'invalid value x for uid'],
  ['type=bind,target', "invalid field 'target' must be a key=value pair"],
  ['type=bind,target=/a,rw=maybe', 'invalid value for readwrite: maybe'],
  ['type=secret', 'id or target is required'],
])('%s: %s', (text, message) => {
  expect(() => parseRunMount(text)).toThrow(message);
});
