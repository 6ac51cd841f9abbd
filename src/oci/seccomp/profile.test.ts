import { expect, test } from 'vitest';
import { readProfile } from './profile.ts';
import { selectRules } from './select-rules.ts';

function read(profile: unknown): () => unknown {
  return () => readProfile(JSON.stringify(profile), 'my.json');
}

test('reads what Docker reads', () => {
  const profile = readProfile(
    `{ "defaultAction": "SCMP_ACT_ERRNO", "archMap": [{ "architecture": "SCMP_ARCH_X86_64", "subArchitectures": null }],
       "syscalls": [{ "name": "read", "action": "SCMP_ACT_ALLOW", "args": [] },
                    { "names": ["write"], "action": "SCMP_ACT_ALLOW", "comment": "c", "includes": {},
                      "args": [{ "index": 1, "value": 18446744073709551615, "valueTwo": 0, "op": "SCMP_CMP_EQ" }] }] }`,
    'p',
  );
  expect(profile.syscalls.map(({ names }) => names)).toEqual([['read'], ['write']]);
  expect(profile.syscalls[1]?.args?.[0]?.value).toBe(0xffffffffffffffffn);
  const rules = selectRules(profile, { arch: 'x64', capabilities: [], kernel: '6.1' });
  expect(rules.architectures).toEqual(['SCMP_ARCH_X86_64']);
});

test('says what is wrong with a profile, and where', () => {
  expect(() => readProfile('{', 'my.json')).toThrow(/^my.json: not valid JSON: /);
  expect(read([])).toThrow('my.json: document: must be an object, not []');
  expect(read({})).toThrow('my.json: defaultAction: is missing');
  expect(read({ defaultAction: 'ALLOW' })).toThrow(
    /^my.json: defaultAction: must be one of SCMP_ACT_KILL, .*, not "ALLOW"$/,
  );
  function rule(fields: object): () => unknown {
    return read({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ action: 'SCMP_ACT_LOG', ...fields }] });
  }
  expect(rule({ names: ['read'], args: [{ index: 6, value: 0, op: 'SCMP_CMP_EQ' }] })).toThrow(
    'my.json: syscalls[0].args[0].index: must be an integer from 0 to 5, not 6',
  );
  expect(rule({ names: ['a'], args: [{ index: 0, value: 18446744073709552000, op: 'SCMP_CMP_EQ' }] })).toThrow(
    'my.json: syscalls[0].args[0].value: must be an unsigned 64-bit integer, not 18446744073709552000',
  );
  expect(rule({ name: 'a', names: ['b'] })).toThrow(
    "my.json: syscalls[0]: both 'name' and 'names' are specified, use either one",
  );
  expect(rule({ names: ['a'], includes: { minKernel: '4' } })).toThrow(
    "my.json: syscalls[0].includes.minKernel: must be MAJOR.MINOR, not '4'",
  );
  expect(
    read({
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86'],
      archMap: [{ architecture: 'SCMP_ARCH_X86_64' }],
    }),
  ).toThrow("both 'architectures' and 'archMap' are specified in the seccomp profile, use either one");
});
