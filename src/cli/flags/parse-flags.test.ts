import { describe, expect, test } from 'vitest';
import type { Flag } from './flag.ts';
import { parseFlags } from './parse-flags.ts';

const table = {
  detach: { kind: 'boolean', short: 'd', help: '' },
  tty: { kind: 'boolean', short: 't', help: '' },
  proxy: { kind: 'boolean', preset: true, help: '' },
  name: { kind: 'text', short: 'n', help: '' },
  signal: { kind: 'text', preset: 'KILL', help: '' },
  time: { kind: 'integer', help: '' },
  env: { kind: 'list', short: 'e', help: '' },
  gpus: { kind: 'text', help: '', unsupported: 'yet' },
  runtime: { kind: 'text', help: '', unsupported: 'trun is its own runtime' },
} as const satisfies Record<string, Flag>;

function parse(words: string, interspersed = true) {
  return parseFlags(table, words === '' ? [] : words.split(' '), interspersed);
}

test('presets', () => {
  expect(parse('').values).toEqual({
    detach: false,
    tty: false,
    proxy: true,
    name: undefined,
    signal: 'KILL',
    time: undefined,
    env: [],
    gpus: undefined,
    runtime: undefined,
  });
});

test.each([
  ['--name x', { name: 'x' }],
  ['--name=x', { name: 'x' }],
  ['--name=', { name: '' }],
  ['--name=a=b', { name: 'a=b' }],
  ['--name --tty', { name: '--tty', tty: false }],
  ['--name -1', { name: '-1' }],
  ['-n x', { name: 'x' }],
  ['-nx', { name: 'x' }],
  ['-n=x', { name: 'x' }],
  ['-dt', { detach: true, tty: true }],
  ['-dtnx', { detach: true, tty: true, name: 'x' }],
  ['-dtn x', { detach: true, tty: true, name: 'x' }],
  ['-d=false', { detach: false }],
  ['--detach=true', { detach: true }],
  ['--detach=T --detach=0', { detach: false }],
  ['--proxy=false', { proxy: false }],
  ['--time 5', { time: 5 }],
  ['--time=-1', { time: -1 }],
  ['-e A=1 --env B=2 -eC', { env: ['A=1', 'B=2', 'C'] }],
])('%s', (words, expected) => {
  expect(parse(words).values).toMatchObject(expected);
});

describe('arguments', () => {
  test('flags may stand between them', () => {
    expect(parse('a -d b --name n c')).toMatchObject({ args: ['a', 'b', 'c'], values: { detach: true, name: 'n' } });
  });

  test('or end with the first of them', () => {
    const { args, values } = parse('-d image -d --name x', false);
    expect(args).toEqual(['image', '-d', '--name', 'x']);
    expect(values).toMatchObject({ detach: true, name: undefined });
  });

  test('begin after --, and - is one', () => {
    expect(parse('-d -- -t --name').args).toEqual(['-t', '--name']);
    expect(parse('- -d')).toMatchObject({ args: ['-'], values: { detach: true } });
  });
});

test.each(['--help', '-h', '-dh', 'a --help'])('%s asks for help', (words) => {
  expect(parse(words).help).toBe(true);
});

test('a short flag of the command goes before help', () => {
  const own = { hostname: { kind: 'text', short: 'h', help: '' } } as const;
  expect(parseFlags(own, ['-h', 'x'], true)).toMatchObject({ help: false, values: { hostname: 'x' } });
});

test.each([
  ['--foo', 'unknown flag: --foo'],
  ['--foo=1', 'unknown flag: --foo'],
  ['--constructor', 'unknown flag: --constructor'],
  ['-dx', "unknown shorthand flag: 'x' in -dx"],
  ['---x', 'bad flag syntax: ---x'],
  ['--=x', 'bad flag syntax: --=x'],
  ['--name', 'flag needs an argument: --name'],
  ['-dn', "flag needs an argument: 'n' in -dn"],
  ['--detach=maybe', 'invalid argument "maybe" for "-d, --detach" flag: parsing "maybe": invalid syntax'],
  ['--time x', 'invalid argument "x" for "--time" flag: parsing "x": invalid syntax'],
  ['--time 1.5', 'invalid argument "1.5" for "--time" flag: parsing "1.5": invalid syntax'],
  ['--gpus all', '--gpus is not supported: trun does not have it yet'],
  ['--runtime=runc', '--runtime is not supported: trun is its own runtime'],
])('%s is wrong', (words, message) => {
  expect(() => parse(words)).toThrow(expect.objectContaining({ message, status: 125 }));
});
