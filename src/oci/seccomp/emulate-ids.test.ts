import { expect, test } from 'vitest';
import { DEFAULT_CAPABILITIES } from '../capabilities.ts';
import { DEFAULT_PROFILE } from './default-profile.ts';
import { emulateIds } from './emulate-ids.ts';
import { syscallNumbers } from './number-table.ts';
import { policyFor } from './policy.ts';
import { selectRules } from './select-rules.ts';

const ALLOW = 0x7fff0000;
const DONE = 0x50000;
const abi = 'SCMP_ARCH_X86_64';
const profile = selectRules(DEFAULT_PROFILE, { arch: 'x64', capabilities: DEFAULT_CAPABILITIES, kernel: '6.1' });

/** What the policy says of a call: the first condition that holds counts. */
function decide(seccomp: typeof profile, name: string, ...args: bigint[]): number {
  const policy = policyFor(seccomp, abi);
  const call = policy.calls.get(syscallNumbers(abi).get(name)!) ?? policy.otherwise;
  if (typeof call === 'number') return call;
  const met = call.find(({ tests }) =>
    tests.every(({ index, value, valueTwo }) => (args[index]! & value) === valueTwo),
  );
  return met?.value ?? policy.otherwise;
}

const filter = emulateIds(profile);

const calls: [string, bigint[], number][] = [
  ['chown', [1n, 0n, 0n], ALLOW],
  ['chown', [1n, 0xffffffffn, 0n], ALLOW],
  ['chown', [1n, 0xffffffffffffffffn, 0n], ALLOW],
  ['chown', [1n, 100n, 0n], DONE],
  ['chown', [1n, 0n, 65534n], DONE],
  ['fchownat', [3n, 1n, 42n, 42n, 0n], DONE],
  ['fchownat', [42n, 1n, 0n, 0n, 0n], ALLOW],
  ['setresuid', [0n, 0xffffffffn, 0n], ALLOW],
  ['setresuid', [100n, 100n, 100n], DONE],
  ['setgroups', [1n, 1n], DONE],
  ['mknod', [1n, 0o100644n, 0n], ALLOW],
  ['mknod', [1n, 0o010644n, 0n], ALLOW],
  ['mknod', [1n, 0o020644n, 259n], DONE],
  ['mknodat', [3n, 1n, 0o060600n, 259n], DONE],
  ['open', [0n], ALLOW],
  ['personality', [0x40000n], 0x50001],
];

for (const [name, args, decision] of calls) {
  test(`${name}(${args.join(', ')})`, () => {
    expect(decide(filter, name, ...args)).toBe(decision);
  });
}

test('without a filter of its own, a container gets one that answers these calls alone', () => {
  const bare = emulateIds(undefined);
  expect(decide(bare, 'chown', 1n, 100n, 0n)).toBe(DONE);
  expect(decide(bare, 'personality', 0x40000n)).toBe(ALLOW);
});
