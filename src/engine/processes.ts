/** `top`: the processes of a container as the host sees them, out of /proc (proc(5)). */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { uptime } from 'node:os';
import { promisify } from 'node:util';
import { isAlive } from '../sys/process-identity.ts';
import type { Container } from './container.ts';
import { EngineError } from './engine-error.ts';

/** USER_HZ: the same on every architecture of Linux that we run on. */
const TICKS_PER_SECOND = 100;

/** Of x86-64, and of arm64 as distributions build it. */
const PAGE_SIZE = 4096;

const HEADER = ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'] as const;

export interface Process {
  readonly pid: number;
  /** One letter of proc(5): R, S, D, T, Z… */
  readonly state: string;
  /** Bytes of memory in use, shared ones included. */
  readonly resident: number;
  readonly threads: number;
  readonly parent: number;
  readonly tty: number;
  /** Seconds of processor time. */
  readonly used: number;
  /** Seconds after boot. */
  readonly started: number;
  readonly uid: number;
  readonly command: string;
}

/**
 * A table with its header: the columns of `ps -ef`, or, with options, what the host's ps(1) prints for them. Throws
 * CONFLICT where the container does not run, INVALID where the options do not show pids.
 */
export async function listProcesses(container: Container, options: readonly string[] = []): Promise<string[][]> {
  const { config, state } = container;
  if (state.status !== 'running' || !isAlive(state.process)) {
    throw new EngineError('CONFLICT', `container ${config.id} is not running`);
  }
  const processes = containerProcesses(state.process.pid);
  if (options.length > 0) return hostTable(options, new Set(processes.map(({ pid }) => String(pid))));
  const users = userNames();
  return [[...HEADER], ...processes.map((process) => tableRow(process, users))];
}

/** The record says that it runs, and it does not: nobody was there to see its end, or the machine was rebooted. */
export function isLost({ state }: Container): boolean {
  return state.status === 'running' && !isAlive(state.process);
}

/** The processes of the pid namespace of `first`, and those of namespaces made inside it. */
export function containerProcesses(first: number): Process[] {
  const own = pidNamespace(first);
  // In the host's pid namespace everybody lives: there, only its descendants are the container's.
  const namespace = own === pidNamespace(process.pid) ? undefined : own;
  const inside = new Set<number>([first]);
  const found: Process[] = [];
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
  for (const process of all.sort((a, b) => a.started - b.started || a.pid - b.pid)) {
    const isFound = process.pid === first || inside.has(process.parent);
    if (!isFound && (namespace === undefined || pidNamespace(process.pid) !== namespace)) continue;
    inside.add(process.pid);
    found.push(process);
  }
  return found;
}

/** Of other users' processes nobody tells it: they are not ours. */
function pidNamespace(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return '';
  }
}

/** Undefined for a process that has just gone. */
function readProcess(pid: number): Process | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0+$/, '').replaceAll('\0', ' ');
    const end = stat.lastIndexOf(')');
    // From the third field on: state, ppid, pgrp, session, tty_nr, …
    const words = stat.slice(end + 2).split(' ');
    const fields = words.map(Number);
    return {
      pid,
      state: words[0]!,
      resident: fields[21]! * PAGE_SIZE,
      threads: fields[17]!,
      parent: fields[1]!,
      tty: fields[4]!,
      used: (fields[11]! + fields[12]!) / TICKS_PER_SECOND,
      started: fields[19]! / TICKS_PER_SECOND,
      uid: Number(/^Uid:\t(\d+)/m.exec(status)?.[1]),
      command: line === '' ? `[${stat.slice(stat.indexOf('(') + 1, end)}]` : line,
    };
  } catch {
    return undefined;
  }
}

function tableRow({ pid, parent, tty, used, started, uid, command }: Process, users: ReadonlyMap<number, string>) {
  const age = Math.max(uptime() - started, 1);
  return [
    users.get(uid) ?? String(uid),
    String(pid),
    String(parent),
    String(Math.min(Math.round((100 * used) / age), 99)),
    startTime(new Date(Date.now() - age * 1000)),
    terminalName(tty),
    clock(used),
    // A program may call itself anything; a line is a line.
    // eslint-disable-next-line no-control-regex
    command.replace(/[\x00-\x1f\x7f]/g, '?'),
  ];
}

/** `14:05`, or for another day `Nov20`. */
function startTime(date: Date): string {
  if (date.toDateString() === new Date().toDateString()) return `${two(date.getHours())}:${two(date.getMinutes())}`;
  return `${date.toLocaleString('en', { month: 'short' })}${two(date.getDate())}`;
}

/** tty_nr: the minor's low 8 bits, the major, the minor's rest; majors 136 to 143 are pseudo terminals. */
function terminalName(device: number): string {
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`;
  return device === 0 ? '?' : `${major}:${minor}`;
}

/** `00:01:07` */
function clock(seconds: number): string {
  const whole = Math.trunc(seconds);
  return [Math.trunc(whole / 3600), Math.trunc(whole / 60) % 60, whole % 60].map(two).join(':');
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** passwd(5): names by uid, the host's. */
function userNames(): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n').reverse()) {
    const [name, , uid] = line.split(':');
    if (name !== undefined && /^\d+$/.test(uid ?? '')) names.set(Number(uid), name);
  }
  return names;
}

/** What ps(1) prints for the options, without the lines of others. */
async function hostTable(options: readonly string[], pids: ReadonlySet<string>): Promise<string[][]> {
  const lines = (await runPs(options)).split('\n').filter((line) => line.trim() !== '');
  const [header = [], ...rows] = lines.map((line) => line.trim().split(/\s+/));
  const at = header.indexOf('PID');
  if (at < 0) throw new EngineError('INVALID', "Couldn't find PID field in ps output");
  const mine = rows.filter((row) => pids.has(row[at] ?? ''));
  // The last column is a command line, blanks and all.
  return [header, ...mine.map((row) => [...row.slice(0, header.length - 1), row.slice(header.length - 1).join(' ')])];
}

async function runPs(options: readonly string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('ps', [...options], { maxBuffer: 64 << 20 });
    return stdout;
  } catch (error) {
    const { code, stderr = '' } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOENT') {
      throw new EngineError(
        'UNSUPPORTED',
        'options of top take the program ps (package procps), which this host does not have',
      );
    }
    throw new EngineError('INVALID', `ps: ${stderr.trim().split('\n')[0] ?? ''}`);
  }
}
