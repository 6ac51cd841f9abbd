import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DEFAULT_CAPABILITIES } from '../capabilities.ts';
import { type CompiledFilter, compileSeccomp } from './compile.ts';
import { DEFAULT_PROFILE } from './default-profile.ts';
import { syscallNumbers } from './number-table.ts';
import { selectRules } from './select-rules.ts';

/** Loads the filter in the file argv[1], then makes the call `nr arg0` that follows and prints its errno. */
const program = String.raw`
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv) {
  static struct sock_filter code[4096];
  int file = open(argv[1], O_RDONLY);
  struct sock_fprog filter = { .filter = code, .len = read(file, code, sizeof code) / sizeof *code };
  setbuf(stdout, 0);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, atoi(argv[2]), &filter))
    return perror("seccomp"), 1;
#ifdef __x86_64__
  if (!strcmp(argv[3], "int80")) {
    long pid;
    __asm__ volatile("int $0x80" : "=a"(pid) : "a"(20L) : "memory");
    return printf("%d\n", pid == getpid() ? 0 : 1), 0;
  }
#endif
  long result = syscall(atol(argv[3]), strtoul(argv[4], 0, 0), 0, 0, 0, 0, 0);
  return printf("%d\n", result < 0 ? errno : 0), 0;
}`;

const compiler = process.env['CC'] ?? 'gcc';
const supported =
  (process.arch === 'x64' || process.arch === 'arm64') && spawnSync(compiler, ['--version']).status === 0;

describe('a filter in the kernel', () => {
  const arch = process.arch as 'x64' | 'arm64';
  const numbers = syscallNumbers(arch === 'x64' ? 'SCMP_ARCH_X86_64' : 'SCMP_ARCH_AARCH64');
  const seccomp = selectRules(DEFAULT_PROFILE, { arch, capabilities: DEFAULT_CAPABILITIES, kernel: release() });
  let folder = '';

  beforeEach(({ skip }) => skip(!supported, `${compiler} is not installed`));
  beforeAll(() => {
    if (!supported) return;
    folder = mkdtempSync(join(tmpdir(), 'seccomp-'));
    const { status, stderr } = spawnSync(compiler, ['-xc', '-', '-o', join(folder, 'try')], {
      input: program,
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
  });
  afterAll(() => {
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });

  function attempt(filter: CompiledFilter, ...call: string[]): string {
    writeFileSync(join(folder, 'filter'), filter.program);
    const args = [join(folder, 'filter'), String(filter.flags), ...call];
    const { signal, stdout, stderr } = spawnSync(join(folder, 'try'), args, { encoding: 'utf8' });
    return signal ?? (stdout.trim() || stderr.trim());
  }

  function call(name: string, argument = 0): string {
    return attempt(compileSeccomp(seccomp, arch), String(numbers.get(name)), String(argument));
  }

  test('is taken, and decides as the profile says', () => {
    expect(call('getppid')).toBe('0');
    expect(call('personality', 0xffffffff)).toBe('0');
    expect(call('personality', 0x40000)).toBe('1');
    expect(call('socket', 38)).toBe('1');
    expect(call('unshare', 0x10000000)).toBe('1');
    expect(call('clone', 0x10000011)).toBe('1');
    expect(call('clone3')).toBe('38');
    expect(attempt(compileSeccomp(seccomp, arch), '5000', '0')).toBe('38');
  });

  test('lets 32-bit calls pass where the profile names them, and kills elsewhere', ({ skip }) => {
    skip(arch !== 'x64', 'for x86-64');
    const both = attempt(compileSeccomp(seccomp, arch), 'int80');
    // A kernel without CONFIG_IA32_EMULATION has no such calls.
    if (both !== 'SIGSEGV') expect(both).toBe('0');
    const native = compileSeccomp({ ...seccomp, architectures: ['SCMP_ARCH_X86_64'] }, arch);
    if (both !== 'SIGSEGV') expect(attempt(native, 'int80')).toBe('SIGSYS');
    expect(attempt(native, String(0x40000000 + 39), '0')).toBe('SIGSYS');
  });
});
