import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  EXIT_LENGTH,
  FLAG,
  HEADER,
  KIND,
  MAGIC,
  OPERATION,
  PLAN_FD,
  PSEUDO,
  RECORD,
  RECORD_KIND,
  STATUS_FD,
  SUPERVISION,
} from './plan-layout.ts';

const source = readFileSync(join(import.meta.dirname, 'monitor.c'), 'utf8');

/** The constants of all enums: those without a value follow the one before. */
function constants(): Map<string, number> {
  const found = new Map<string, number>();
  const text = source.replace(/\/\*[\s\S]*?\*\//g, '');
  for (const [, body] of text.matchAll(/\benum\s*\{([^}]*)\}/g)) {
    let next = 0;
    for (const item of body!.split(',')) {
      const [, name, value] = /^\s*(\w+)\s*(?:=\s*(-?\w+))?/.exec(item) ?? [];
      if (name === undefined) continue;
      const number = value === undefined ? next : Number(value);
      found.set(name, number);
      next = number + 1;
    }
  }
  return found;
}

function prefixed(prefix: string): Record<string, number> {
  return Object.fromEntries(
    [...constants()]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => [name.slice(prefix.length).toLowerCase(), value]),
  );
}

test('constants are those of monitor.c', () => {
  const known = constants();
  expect(known.get('MAGIC')).toBe(MAGIC);
  expect(known.get('PLAN_FD')).toBe(PLAN_FD);
  expect(known.get('STATUS_FD')).toBe(STATUS_FD);
  expect(known.get('EXIT_LENGTH')).toBe(EXIT_LENGTH);
  expect(prefixed('FLAG_')).toEqual(FLAG);
  expect(prefixed('KIND_')).toEqual(KIND);
  expect(prefixed('RECORD_')).toEqual(RECORD_KIND);
  expect(prefixed('PSEUDO_')).toEqual(PSEUDO);
});

function compilerRuns(): boolean {
  try {
    execFileSync('gcc', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const FIELDS = {
  header: { magic: HEADER.magic, op_count: HEADER.operations, reloc_count: HEADER.relocations, size: HEADER.total },
  op: {
    number: OPERATION.number,
    flags: OPERATION.flags,
    kinds: OPERATION.kinds,
    jump: OPERATION.jump,
    args: OPERATION.args,
    result: OPERATION.result,
  },
  record: { kind: RECORD.kind, op: RECORD.operation, value: RECORD.value },
  supervision: {
    listen_fd: SUPERVISION.listenFd,
    stdin_fd: SUPERVISION.stdinFd,
    fd_count: SUPERVISION.fdCount,
    fds: SUPERVISION.fds,
    exit_path: SUPERVISION.exitPath,
    exit_temporary: SUPERVISION.exitTemporary,
    lock_path: SUPERVISION.lockPath,
    agent: SUPERVISION.agent,
    agent_argv: SUPERVISION.agentArgv,
    agent_envp: SUPERVISION.agentEnvp,
  },
};
const SIZES = { header: HEADER.size, op: OPERATION.size, record: RECORD.size, supervision: SUPERVISION.size };

test.skipIf(!compilerRuns())('structures are laid out as the compiler lays out those of monitor.c', () => {
  const structs = [...source.matchAll(/^struct (header|op|record|supervision) \{[\s\S]*?^\};/gm)].map(([text]) => text);
  const asserts = Object.entries(FIELDS).flatMap(([name, fields]) => [
    `_Static_assert(sizeof(struct ${name}) == ${SIZES[name as keyof typeof SIZES]}, "size of ${name}");`,
    ...Object.entries(fields).map(
      ([field, offset]) =>
        `_Static_assert(__builtin_offsetof(struct ${name}, ${field}) == ${offset}, "${name}.${field}");`,
    ),
  ]);
  const folder = mkdtempSync(join(tmpdir(), 'trun-layout-'));
  try {
    const types = '#include <linux/types.h>\ntypedef __u8 u8; typedef __u16 u16; typedef __u32 u32; typedef __u64 u64;';
    const file = join(folder, 'layout.c');
    writeFileSync(file, [types, 'typedef __s32 s32; typedef __s64 s64;', ...structs, ...asserts, ''].join('\n'));
    expect(structs).toHaveLength(4);
    execFileSync('gcc', ['-fsyntax-only', file], { stdio: 'pipe' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
