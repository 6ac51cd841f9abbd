import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { opcodeLimit, opcodes } from './opcodes.ts';
import { structs } from './structs.ts';

test('the sizes that the protocol has had since 7.23', () => {
  const sizes = Object.fromEntries(Object.values(structs).map(({ name, size }) => [name, size]));
  expect(sizes).toMatchObject({
    fuse_in_header: 40,
    fuse_out_header: 16,
    fuse_attr: 88,
    fuse_entry_out: 128,
    fuse_attr_out: 104,
    fuse_open_out: 16,
    fuse_read_in: 40,
    fuse_write_in: 40,
    fuse_setattr_in: 88,
    fuse_create_in: 16,
    fuse_mknod_in: 16,
    fuse_mkdir_in: 8,
    fuse_rename2_in: 16,
    fuse_direntplus: 152,
    fuse_kstatfs: 80,
    fuse_init_in: 64,
    fuse_init_out: 64,
    fuse_copy_file_range_in: 56,
    fuse_ioctl_in: 32,
    fuse_lk_in: 48,
    fuse_notify_store_out: 24,
  });
});

test('opcodes have numbers of their own, all below the limit', () => {
  const numbers = Object.values(opcodes).map(({ number }) => number);
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(Math.max(...numbers)).toBe(opcodeLimit - 1);
});

/** Fields that the header of the kernel in question may have under another shape. */
const unchecked = new Set(['fuse_in_header.extlen', 'fuse_init_out.unused', 'fuse_init_in.unused']);

function hasCompiler(): boolean {
  if (!existsSync('/usr/include/linux/fuse.h')) return false;
  try {
    execFileSync('gcc', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test.skipIf(!hasCompiler())('structs and opcodes agree with linux/fuse.h', () => {
  const header = readFileSync('/usr/include/linux/fuse.h', 'utf8');
  const lines: string[] = [];
  const expected: string[] = [];
  function same(expression: string, value: number): void {
    lines.push(`printf("%s %lu\\n", ${JSON.stringify(expression)}, (unsigned long)(${expression}));`);
    expected.push(`${expression} ${value}`);
  }
  for (const { name, size, at } of Object.values(structs)) {
    if (!header.includes(`struct ${name} {`)) continue;
    same(`sizeof(struct ${name})`, size);
    for (const [field, offset] of Object.entries(at)) {
      if (!unchecked.has(`${name}.${field}`)) same(`offsetof(struct ${name}, ${field})`, offset);
    }
  }
  for (const [name, { number }] of Object.entries(opcodes)) {
    if (new RegExp(`\\bFUSE_${name}\\b`).test(header)) same(`FUSE_${name}`, number);
  }
  expect(lines.length).toBeGreaterThan(200);

  const directory = mkdtempSync(join(tmpdir(), 'fuse-overlay-'));
  try {
    const source = join(directory, 'layout.c');
    const program = join(directory, 'layout');
    const includes = '#include <stdio.h>\n#include <stddef.h>\n#include <linux/fuse.h>\n';
    writeFileSync(source, `${includes}int main(void) {\n${lines.join('\n')}\nreturn 0; }\n`);
    execFileSync('gcc', ['-o', program, source]);
    expect(execFileSync(program, { encoding: 'utf8' }).trim().split('\n')).toEqual(expected);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
