import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { syscallNumbers, type SeccompArch, X32_BIT } from './number-table.ts';

/** The macros that `compiler` has after including `header`; nothing where one of the two is not installed. */
function macros(compiler: string, header: string): Map<string, string> | undefined {
  const { status, stdout } = spawnSync(compiler, ['-E', '-dM', '-xc', '-'], {
    input: `#include <${header}>\n`,
    encoding: 'utf8',
  });
  if (status !== 0) return undefined;
  return new Map([...stdout.matchAll(/^#define (\w+) (.*)$/gm)].map(([, name, value]) => [name!, value!.trim()]));
}

function evaluate(defined: Map<string, string>, text: string): number {
  return text
    .replaceAll(/[()]/g, '')
    .split('+')
    .map((term) => term.trim())
    .reduce(
      (sum, term) =>
        sum +
        (term in { __X32_SYSCALL_BIT: 0 }
          ? X32_BIT
          : /^\d/.test(term)
            ? Number(term)
            : evaluate(defined, defined.get(term)!)),
      0,
    );
}

describe.each<[SeccompArch, string, string]>([
  ['SCMP_ARCH_X86_64', 'x86_64-linux-gnu-gcc', 'asm/unistd_64.h'],
  ['SCMP_ARCH_X86', 'x86_64-linux-gnu-gcc', 'asm/unistd_32.h'],
  ['SCMP_ARCH_X32', 'x86_64-linux-gnu-gcc', 'asm/unistd_x32.h'],
  ['SCMP_ARCH_AARCH64', 'aarch64-linux-gnu-gcc', 'asm/unistd.h'],
  ['SCMP_ARCH_ARM', 'arm-linux-gnueabihf-gcc', 'asm/unistd.h'],
])('%s', (arch, compiler, header) => {
  const defined = macros(compiler, header);

  test(`agrees with ${compiler}'s <${header}>`, ({ skip }) => {
    skip(defined === undefined, `${compiler} is not installed, or has no <${header}>`);
    const expected = [...defined!]
      .filter(([name]) => /^__NR_(?!3264)/.test(name) && !/^__NR_(syscalls|SYSCALL_|OABI|arch_specific)/.test(name))
      .map(([name, value]) => [name.slice('__NR_'.length), evaluate(defined!, value)] as const);
    expect(expected.length).toBeGreaterThan(300);
    const table = syscallNumbers(arch);
    for (const [name, number] of expected) expect([name, table.get(name)]).toEqual([name, number]);
    // What the table has beyond the header is newer than the header.
    const newest = Math.max(...expected.map(([, number]) => number).filter((number) => (number & 0xffff) < 512));
    const known = new Map(expected);
    for (const [name, number] of table) {
      const privateCall = number > 0xf0000 && number < X32_BIT;
      const patchedIn = name === 'uretprobe' || name === 'uprobe';
      if (!known.has(name) && !privateCall && !patchedIn) expect([name, number > newest]).toEqual([name, true]);
    }
  });
});

test('the newest calls have one number everywhere', () => {
  for (const arch of ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'] as const) {
    expect(syscallNumbers(arch).get('mseal')).toBe(462);
    expect(syscallNumbers(arch).get('clone3')).toBe(435);
  }
  expect(syscallNumbers('SCMP_ARCH_X32').get('clone3')).toBe(X32_BIT + 435);
  expect(syscallNumbers('SCMP_ARCH_X32').get('execve')).toBe(X32_BIT + 520);
  expect(syscallNumbers('SCMP_ARCH_X32').has('uselib')).toBe(false);
});
