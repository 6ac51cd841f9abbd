/** A process in namespaces like a container's, on the host's root file system, for tests of drivers. */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Label, LaunchPlan, Load32 } from '../../monitor/plan.ts';
import { STATUS_FD } from '../../monitor/plan-layout.ts';
import { type MonitorProcess, startMonitor } from '../../monitor/start.ts';
import { AT_FDCWD, CLONE, MS, O, SIGCHLD } from '../../sys/linux-constants.ts';
import type { PreparedEndpoint } from '../driver.ts';

/** The user namespace that test containers are made in. */
export interface Parent {
  readonly holderPid: number;
  /** Text for uid_map and gid_map, inside the holder's namespace. */
  readonly uidMap: string;
  readonly gidMap: string;
}

export class TestContainer {
  /** Of the container's first process. */
  readonly pid: number;
  readonly #monitor: MonitorProcess;
  readonly #folder: string;

  private constructor(pid: number, monitor: MonitorProcess, folder: string) {
    this.pid = pid;
    this.#monitor = monitor;
    this.#folder = folder;
  }

  /** Starts one that waits for `go` before it executes the shell script. */
  static async create(parent: Parent, endpoint: PreparedEndpoint, script: string): Promise<TestContainer> {
    const folder = mkdtempSync(join(tmpdir(), 'trun-test-'));
    for (const [name, content] of Object.entries(endpoint.files)) writeFileSync(join(folder, name), content);
    const output = openSync(join(folder, 'output'), 'w');
    try {
      const monitor = startMonitor(testPlan(parent, endpoint, folder, script), ['ignore', output, output]);
      const pid = (await monitor.next())?.value;
      if (pid === undefined || (await monitor.next()) === undefined) throw new Error('The test container has ended');
      return new TestContainer(pid, monitor, folder);
    } finally {
      closeSync(output);
    }
  }

  go(): void {
    this.#monitor.go();
  }

  /** What it has printed so far. */
  get output(): string {
    return readFileSync(join(this.#folder, 'output'), 'utf8');
  }

  /** Waits for its end and returns its exit status; 128+n when signal n killed it. */
  async end(): Promise<number> {
    const status = (await this.#monitor.next())?.value ?? 0xff00;
    return (status & 0x7f) !== 0 ? 128 + (status & 0x7f) : status >> 8;
  }

  kill(): void {
    try {
      process.kill(this.pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }

  [Symbol.dispose](): void {
    this.kill();
    this.#monitor.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function testPlan(parent: Parent, endpoint: PreparedEndpoint, folder: string, script: string): LaunchPlan {
  const plan = new LaunchPlan();
  const holder = plan.call('pidfd_open', [parent.holderPid, 0], 'find the holder');
  const isPrivate = endpoint.namespace === 'private';
  const net = isPrivate ? CLONE.NEWNET : 0;
  plan.call('setns', [holder, CLONE.NEWUSER | CLONE.NEWNS | net], "join the holder's namespaces");
  const gate = plan.room(8, 'gate');
  plan.call('pipe2', [gate, O.CLOEXEC], 'make a pipe');
  const child = new Label();
  const flags = CLONE.NEWUSER | CLONE.NEWNS | CLONE.NEWPID | net | SIGCHLD;
  const pid = plan.fork('clone', [flags, 0, 0, 0, 0], child, 'clone');
  for (const [name, text] of [
    ['uid_map', parent.uidMap],
    ['gid_map', parent.gidMap],
  ] as const) {
    const path = plan.room(64, name);
    plan.pseudo('proc_path', [path, pid, name], 'name the map');
    const file = plan.call('openat', [AT_FDCWD, path, O.WRONLY | O.CLOEXEC, 0], `open ${name}`);
    plan.call('write', [file, text, text.length], `write ${name}`);
  }
  plan.pseudo('note', [pid], 'report');
  plan.call('write', [new Load32(gate, 4), 'x', 1], 'open the gate');
  plan.pseudo('reap', [0], 'wait');

  plan.place(child);
  plan.call('read', [new Load32(gate, 0), plan.room(1, 'byte'), 1], 'wait for the map', { nonzero: true });
  plan.call('setresgid', [0, 0, 0], 'become group 0');
  plan.call('setresuid', [0, 0, 0], 'become user 0');
  endpoint.configure(plan);
  plan.pseudo('note', [0], 'report');
  plan.call('read', [STATUS_FD, plan.room(1, 'byte'), 1], 'wait for the word', { nonzero: true });
  plan.call('mount', ['none', '/', 0, MS.REC | MS.PRIVATE, 0], 'make mounts private');
  plan.call('mount', ['proc', '/proc', 'proc', 0, 0], 'mount /proc');
  for (const [from, to] of [
    ['hosts', '/etc/hosts'],
    ['resolvConf', '/etc/resolv.conf'],
  ] as const) {
    plan.call('mount', [join(folder, from), to, 0, MS.BIND, 0], `mount ${to}`);
  }
  // What is inherited beyond stdio would be seen in the container: only close-on-exec descriptors may be left.
  plan.call('close', [STATUS_FD], 'close the status socket');
  plan.call('close', [3], 'close the plan');
  const argv = plan.strings(['sh', '-c', script], 'argv');
  const environment = plan.strings(['PATH=/usr/sbin:/usr/bin:/sbin:/bin'], 'envp');
  plan.pseudo('exec', [plan.strings(['/bin/sh'], 'paths'), argv, environment], 'execute /bin/sh');
  return plan;
}
