import { describe, expect, test } from 'vitest';
import { parseFlags } from '../flags/parse-flags.ts';
import { BUILD_FLAGS } from './build-flags.ts';
import { buildRequest } from './build-request.ts';

const world = { cwd: '/project', env: { TOKEN: 'secret', SSH_AUTH_SOCK: '/run/agent' } };

function parse(...words: string[]) {
  return buildRequest(parseFlags(BUILD_FLAGS, words, true).values, '.', world);
}

test('what is not said', () => {
  expect(parse()).toMatchObject({
    ...{ context: '.', file: undefined, target: undefined, network: 'default', pull: false, noCache: false },
    outputs: [{ type: 'image', names: [], push: false }],
  });
  expect(parse().platforms).toHaveLength(1);
});

test('arguments come from the command line or the environment', () => {
  const { buildArgs, epoch } = parse(
    '--build-arg',
    'A=1=2',
    '--build-arg',
    'TOKEN',
    '--build-arg',
    'UNSET',
    '--build-arg',
    'SOURCE_DATE_EPOCH=5',
  );
  expect([...buildArgs]).toEqual([
    ['A', '1=2'],
    ['TOKEN', 'secret'],
    ['SOURCE_DATE_EPOCH', '5'],
  ]);
  expect(epoch).toBe(5);
});

describe('outputs', () => {
  test.each([
    [['-o', 'out'], { type: 'local', dest: '/project/out' }],
    [['-o', '-'], { type: 'tar', dest: '-' }],
    [['-o', 'type=oci,dest=/x.tar'], { type: 'oci', dest: '/x.tar' }],
    [['-o', 'type=docker'], { type: 'image', push: false }],
    [['-o', 'type=registry,name=r/x'], { type: 'image', push: true, names: [{ path: 'r/x', tag: 'latest' }] }],
    [
      ['-o', 'type=image,"name=a,b",push=true'],
      { type: 'image', push: true, names: [{ path: 'library/a' }, { path: 'library/b' }] },
    ],
    [['--push', '-t', 'x:1'], { type: 'image', push: true, names: [{ tag: '1' }] }],
    [['-o', 'type=cacheonly'], { type: 'cacheonly' }],
  ])('%j', (words, output) => {
    expect(parse(...words).outputs[0]).toMatchObject(output);
  });

  test.each([
    [['-o', 'type=local'], 'dest is required for local output'],
    [['-o', 'type=what,dest=x'], 'unsupported output type "what"'],
    [['-o', 'dest=x'], 'type is required for output'],
    [['-t', 'Bad'], 'must be lowercase'],
    [['-t', `x@sha256:${'0'.repeat(64)}`], 'it must not be a digest'],
    [['--network', 'mine'], 'network mode "mine" not supported'],
    [['--cache-to', 'type=gha'], 'unsupported cache type "gha"'],
    [['--cache-to', 'type=registry,ref=x,mode=max'], 'use type=local for mode=max'],
    [['--cache-to', 'type=local'], 'dest is required for a local cache'],
    [['--build-context', 'x'], 'invalid context value'],
    [['--secret', 'src=x'], 'secret is missing its id'],
    [['--secret', 'id=x,src=/no/such'], 'no such file or directory'],
    [['--secret', 'id=x,env=NOT_SET'], 'the variable NOT_SET is not set'],
    [['--ssh', 'default=/no/such'], 'failed to read /no/such'],
    [['--platform', 'a/b/c/d'], 'invalid platform'],
    [['--ulimit', 'x'], 'invalid ulimit'],
    [['--build-arg', 'SOURCE_DATE_EPOCH=now'], 'invalid SOURCE_DATE_EPOCH'],
  ])('%j: %s', (words, message) => {
    expect(() => parse(...words)).toThrow(message);
  });
});

test('secrets, agents, contexts, caches, platforms', () => {
  const request = parse(
    ...[
      '--secret',
      'id=t,env=TOKEN',
      '--secret',
      'type=env,id=TOKEN',
      '--ssh',
      'default',
      '--build-context',
      'Base=docker-image://x',
    ],
    ...[
      '--cache-from',
      'user/app',
      '--cache-from',
      'type=local,src=c',
      '--platform',
      'linux/amd64,arm64',
      '--add-host',
      'h:1.2.3.4',
    ],
  );
  expect(Object.fromEntries(request.secrets)).toEqual({
    t: { kind: 'variable', name: 'TOKEN' },
    TOKEN: { kind: 'variable', name: 'TOKEN' },
  });
  expect(request.ssh.get('default')).toEqual({ kind: 'socket', path: '/run/agent' });
  expect(request.contexts.get('base')).toBe('docker-image://x');
  expect(request.cacheFrom).toEqual([
    { type: 'registry', place: 'user/app', mode: 'min' },
    { type: 'local', place: '/project/c', mode: 'min' },
  ]);
  expect(request.platforms.map(({ architecture }) => architecture)).toEqual(['amd64', 'arm64']);
  expect(request.extraHosts).toEqual([{ address: '1.2.3.4', names: ['h'] }]);
});
