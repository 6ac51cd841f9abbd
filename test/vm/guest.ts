/**
 * Runs a command as an ordinary user in a throw-away Debian with systemd and cgroup v2, under QEMU's emulation: no
 * /dev/kvm, no root. From the shell:
 *
 *     node test/vm/guest.ts [--seconds N] COMMAND [ARG…]      in the project's folder; exits with the command's status
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, guestImage } from './image.ts';
import { makeProjectDisk } from './project-disk.ts';

export interface GuestOptions {
  /** Real time for everything, the boot included. */
  seconds: number;
  /** Called with what the command prints as it comes. */
  onStdout?: (chunk: Buffer) => void;
  onStderr?: (chunk: Buffer) => void;
}

export interface GuestResult {
  /** As a shell would have it: 128 + N after signal N. */
  status: number;
  stdout: string;
  stderr: string;
}

const MEMORY_MB = 1536;

/** Why this machine cannot run guests; undefined where it can. */
export function unableToRun(): string | undefined {
  if (process.arch !== 'x64') return 'the guest is an x86-64 machine';
  const programs = { 'qemu-system-x86_64': 'qemu-system-x86', mmdebstrap: 'mmdebstrap', 'mkfs.ext4': 'e2fsprogs' };
  for (const [program, debianPackage] of Object.entries(programs)) {
    if (findProgram(program) === undefined) return `${program} is not installed (Debian: ${debianPackage})`;
  }
  return undefined;
}

/** Boots a guest, runs `command` there in a copy of the project, and resolves when the guest is off. */
export async function runInGuest(command: readonly string[], options: GuestOptions): Promise<GuestResult> {
  const image = await guestImage();
  const folder = mkdtempSync(join(tmpdir(), 'trun-guest-'));
  try {
    const script = join(folder, 'command');
    writeFileSync(script, `exec ${command.map(quote).join(' ')}\n`);
    const project = join(folder, 'project.img');
    makeProjectDisk(project, script);

    const ports = ['stdout', 'stderr', 'status'] as const;
    const [stdout, stderr, status] = await Promise.all([
      openPort(folder, 'stdout', options.onStdout),
      openPort(folder, 'stderr', options.onStderr),
      openPort(folder, 'status'),
    ]);
    const console = join(folder, 'console');
    await runMachine(
      [
        ['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-serial', `file:${console}`],
        ['-accel', process.env['TRUN_TEST_ACCEL'] ?? 'tcg,thread=multi', '-smp', '2', '-m', String(MEMORY_MB)],
        // Five levels of page tables are a level more to walk for each miss.
        ['-cpu', 'max,la57=off', '-kernel', image.kernel, '-initrd', image.initrd],
        ['-append', 'console=ttyS0 loglevel=4 mitigations=off tsc=reliable no_timer_check panic=-1'],
        ['-drive', `file=${image.disk},format=raw,if=virtio,snapshot=on,cache=unsafe`],
        ['-drive', `file=${project},format=raw,if=virtio,cache=unsafe`],
        ['-device', 'virtio-rng-pci', '-device', 'virtio-serial-pci'],
        ...ports.map((name) => [
          ...['-chardev', `socket,id=${name},path=${join(folder, name)}`],
          ...['-device', `virtserialport,chardev=${name},name=${name}`],
        ]),
      ].flat(),
      options.seconds,
    );
    for (const port of [stdout, stderr, status]) port.server.close();
    return { status: exitStatus(status.text(), console), stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Port {
  server: Server;
  text: () => string;
}

/** Listens where the machine connects one of its ports to. */
async function openPort(folder: string, name: string, onData?: (chunk: Buffer) => void): Promise<Port> {
  const chunks: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      onData?.(chunk);
    });
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(join(folder, name), resolve));
  return { server, text: () => Buffer.concat(chunks).toString() };
}

/** Resolves when the machine is off; rejects when it fails or has to be ended. */
function runMachine(args: readonly string[], seconds: number): Promise<undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const machine = spawn(findProgram('qemu-system-x86_64')!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  machine.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  function end(): void {
    machine.kill('SIGKILL');
  }
  process.once('exit', end);
  const late = setTimeout(() => {
    errors += `ended: it took more than ${seconds} s`;
    end();
  }, seconds * 1000);
  machine.on('error', reject);
  machine.on('close', (status) => {
    clearTimeout(late);
    process.off('exit', end);
    if (status === 0) resolve(undefined);
    else reject(new Error(`qemu-system-x86_64: ${errors.trim()} (${status ?? 'killed'})`));
  });
  return promise;
}

/** `text` is the si_code and si_status of the command's end: sigaction(2), CLD_EXITED and others. */
function exitStatus(text: string, consoleLog: string): number {
  const [, code, status] = /^(\d+) (\d+)/.exec(text) ?? [];
  if (code === '1') return Number(status);
  if (code === '2' || code === '3') return 128 + Number(status);
  const tail = readFileSync(consoleLog, 'utf8').trimEnd().split('\n').slice(-30).join('\n');
  throw new Error(`the guest ended without a status; its console:\n${tail}`);
}

function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

if (import.meta.main) {
  const [option, value, ...rest] = process.argv.slice(2) as [string?, string?, ...string[]];
  const [seconds, command] = option === '--seconds' ? [Number(value), rest] : [300, process.argv.slice(2)];
  const { status } = await runInGuest(command, {
    seconds,
    onStdout: (chunk) => process.stdout.write(chunk),
    onStderr: (chunk) => process.stderr.write(chunk),
  });
  process.exitCode = status;
}
