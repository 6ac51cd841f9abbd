/**
 * Programs of other architectures, by qemu-user: binfmt_misc is mounted in the user's own namespace, which needs no
 * privilege from Linux 6.7 on (fs/binfmt_misc.c: each user namespace may have an instance of its own, and those below it
 * use it). The interpreter is opened when it is registered (flag F), so containers need no copy of it.
 */
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Holder } from '../holder/holder.ts';
import { hostPlatform, platformMatches, type Platform } from '../image/platform.ts';
import { joinNamespaces } from '../monitor/join-namespaces.ts';
import { LaunchPlan } from '../monitor/plan.ts';
import { LaunchError } from '../monitor/record.ts';
import { startMonitor } from '../monitor/start.ts';
import { takeLock } from '../state/lock.ts';
import { readJson, writeJson } from '../state/atomic-file.ts';
import type { StatePaths } from '../state/paths.ts';
import { AT_FDCWD, CLONE, O } from '../sys/linux-constants.ts';
import { EngineError } from './engine-error.ts';

/** GOARCH -> qemu's name, the ELF machine (elf.h) and class and byte order, as `file` sees a program's first bytes. */
const MACHINES: Readonly<Record<string, { qemu: string; machine: number; is64: boolean; isBig: boolean }>> = {
  amd64: { qemu: 'x86_64', machine: 62, is64: true, isBig: false },
  arm64: { qemu: 'aarch64', machine: 183, is64: true, isBig: false },
  arm: { qemu: 'arm', machine: 40, is64: false, isBig: false },
  '386': { qemu: 'i386', machine: 3, is64: false, isBig: false },
  riscv64: { qemu: 'riscv64', machine: 243, is64: true, isBig: false },
  ppc64le: { qemu: 'ppc64le', machine: 21, is64: true, isBig: false },
  s390x: { qemu: 's390x', machine: 22, is64: true, isBig: true },
  loong64: { qemu: 'loongarch64', machine: 258, is64: true, isBig: false },
  mips64le: { qemu: 'mips64el', machine: 8, is64: true, isBig: false },
};

const HOST_ENTRIES = '/proc/sys/fs/binfmt_misc';

/** Sees to it that containers run programs of a platform. Throws UNSUPPORTED with the mend. */
export async function ensureEmulator(paths: StatePaths, holder: Holder, platform: Platform): Promise<void> {
  if (platformMatches(hostPlatform(), platform)) return;
  const { architecture } = platform;
  const machine = Object.hasOwn(MACHINES, architecture) ? MACHINES[architecture]! : undefined;
  if (machine === undefined)
    throw new EngineError('UNSUPPORTED', `There is no emulator for programs of ${architecture}`);
  if (hostHas(machine.qemu)) return;
  const record = join(paths.run, 'binfmt.json');
  using _lock = await takeLock(join(paths.run, 'binfmt.lock'));
  const known = readJson<{ holder: number; names: string[] }>(record);
  const names = known?.holder === holder.process.startTime ? known.names : [];
  if (names.includes(machine.qemu)) return;
  const interpreter = findInterpreter(machine.qemu);
  if (interpreter === undefined) {
    throw new EngineError(
      'UNSUPPORTED',
      `Programs of ${architecture} need an emulator: install qemu-${machine.qemu}-static (Debian: package qemu-user-static)`,
    );
  }
  const mountPoint = join(paths.run, 'binfmt');
  mkdirSync(mountPoint, { recursive: true, mode: 0o700 });
  try {
    await startMonitor(registerPlan(holder, mountPoint, names.length === 0, entry(machine, interpreter))).next();
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    const mend =
      'binfmt_misc in a user namespace needs Linux 6.7; ask the administrator to register qemu for the whole machine';
    throw new EngineError('UNSUPPORTED', `${error.message}; ${mend}`, { cause: error });
  }
  writeJson(record, { holder: holder.process.startTime, names: [...names, machine.qemu] });
}

/**
 * As `ensureEmulator`, but returns why there is none: images are run whose config names another platform than their programs are
 * for.
 */
export async function tryEmulator(paths: StatePaths, holder: Holder, platform: Platform): Promise<string | undefined> {
  try {
    await ensureEmulator(paths, holder, platform);
    return undefined;
  } catch (error) {
    if (error instanceof EngineError && error.code === 'UNSUPPORTED') return error.message;
    throw error;
  }
}

/** Whether the machine itself has it registered, in a way that works in containers. */
function hostHas(qemu: string): boolean {
  if (!existsSync(HOST_ENTRIES)) return false;
  return readdirSync(HOST_ENTRIES).some((name) => {
    if (!name.includes(`qemu-${qemu}`)) return false;
    const text = readFileSync(join(HOST_ENTRIES, name), 'utf8');
    return text.startsWith('enabled') && /^flags: \S*F/m.test(text);
  });
}

function findInterpreter(qemu: string): string | undefined {
  return [`/usr/bin/qemu-${qemu}-static`, `/usr/local/bin/qemu-${qemu}-static`, `/usr/bin/qemu-${qemu}`].find(
    (path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    },
  );
}

/** Documentation/admin-guide/binfmt-misc.rst: `:name:M:offset:magic:mask:interpreter:flags`, bytes as \xNN. */
function entry({ qemu, machine, is64, isBig }: (typeof MACHINES)[string], interpreter: string): string {
  const magic = Buffer.alloc(20);
  magic.write('\x7fELF', 'latin1');
  magic.set([is64 ? 2 : 1, isBig ? 2 : 1, 1], 4);
  const mask = Buffer.alloc(20, 0xff);
  // The ABI and its version may be any; of the type, executables and shared objects (ET_EXEC, ET_DYN) differ in one bit.
  mask.fill(0, 7, 16);
  if (isBig) {
    magic.writeUInt16BE(2, 16);
    magic.writeUInt16BE(machine, 18);
    mask.writeUInt16BE(0xfffe, 16);
  } else {
    magic.writeUInt16LE(2, 16);
    magic.writeUInt16LE(machine, 18);
    mask.writeUInt16LE(0xfffe, 16);
  }
  function bytes(buffer: Buffer): string {
    return [...buffer].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  }
  return `:qemu-${qemu}:M::${bytes(magic)}:${bytes(mask)}:${interpreter}:F`;
}

function registerPlan(holder: Holder, mountPoint: string, isFirst: boolean, text: string): LaunchPlan {
  const plan = new LaunchPlan();
  joinNamespaces(plan, holder.process.pid, CLONE.NEWNS);
  plan.call('setresgid', [0, 0, 0], 'become group 0 of the user namespace');
  plan.call('setresuid', [0, 0, 0], 'become user 0 of the user namespace');
  if (isFirst) plan.call('mount', ['binfmt_misc', mountPoint, 'binfmt_misc', 0, 0], 'mount binfmt_misc');
  const register = `${mountPoint}/register`;
  const file = plan.call('openat', [AT_FDCWD, register, O.WRONLY | O.CLOEXEC, 0], `open ${register}`);
  plan.call('write', [file, text, text.length], 'register the emulator');
  plan.call('exit_group', [0], 'leave');
  return plan;
}
