import { describe, expect, test } from 'vitest';
import type { Process, RuntimeSpec } from '../oci/runtime-spec.ts';
import { containerPlan } from './container-plan.ts';
import { execPlan } from './exec-plan.ts';
import type { LaunchInput } from './launch-input.ts';

const PROCESS: Process = {
  user: { uid: 5, gid: 6, additionalGids: [7] },
  args: ['prog', 'arg'],
  env: ['PATH=/one:/two'],
  cwd: '/work',
  capabilities: { bounding: ['CAP_CHOWN'], effective: ['CAP_CHOWN'], permitted: ['CAP_CHOWN'] },
};

const FILTER = Buffer.alloc(16);

function plan(input: Partial<LaunchInput> = {}, process: Partial<Process> = {}, spec: Partial<RuntimeSpec> = {}) {
  const lines = containerPlan({
    spec: { ociVersion: '1.2.0', process: { ...PROCESS, ...process }, mounts: [], linux: {}, ...spec },
    root: { kind: 'overlay', lower: '/run/m:n,o', folder: '/c', upper: 'upper', work: 'work' },
    rootTarget: '/c/root',
    holderPid: 42,
    map: { uid: [{ inside: 0, outside: 1000, count: 1 }], gid: [{ inside: 0, outside: 1000, count: 1 }] },
    network: { kind: 'new' },
    init: false,
    openStdin: false,
    supervision: {
      socketFolder: '/run/monitors',
      socketName: 'id',
      exitPath: '/c/exit',
      exitTemporary: '/c/exit.tmp',
      agentLock: '/run/agent.lock',
      agentArgv: ['/node', 'agent'],
      agentEnv: [],
    },
    ...input,
  }).describe();
  return new Lines(lines);
}

/** A plan's description, to be asked for the order of things. */
class Lines {
  readonly all: readonly string[];

  constructor(all: readonly string[]) {
    this.all = all;
  }

  find(what: RegExp): string[] {
    return this.all.filter((line) => what.test(line));
  }

  /** There is one of the first, after it one of the second, and so on. */
  inOrder(...whats: readonly RegExp[]): void {
    let at = -1;
    for (const what of whats) {
      at = this.all.findIndex((line, i) => i > at && what.test(line));
      expect(at, `${String(what)} in its place among\n${this.all.join('\n')}`).toBeGreaterThan(-1);
    }
  }
}

const DROP = / prctl\(24, /;
const SETUID = / setresuid\(5, 5, 5\)/;
const NO_NEW_PRIVS = / prctl\(38, 1, 0, 0, 0\)/;
const PDEATHSIG = / prctl\(1, 9, 0, 0, 0\)/;
const EXEC = / exec(ve)?\(/;

describe('a container', () => {
  test('goes through its stages in order', () => {
    plan({ seccomp: FILTER }).inOrder(
      / listen\(/,
      / clone\(.*child at/,
      / supervise\(/,
      / setns\(/,
      / mount\("none", "\/", 0,/,
      / mount\("overlay"/,
      / pivot_root\("\.", "\."\)/,
      / umount2\("\.", 2\)/,
      / setsid\(\)/,
      / chdir\("\/work"\)/,
      / close_range\(3, /,
      DROP,
      / seccomp\(1, /,
      / prctl\(8, 1, 0, 0, 0\)/,
      / setgroups\(1, /,
      / setresgid\(6, 6, 6\)/,
      SETUID,
      / capset\(/,
      PDEATHSIG,
      EXEC,
    );
  });

  test('escapes what separates in the options of overlayfs', () => {
    expect(plan().find(/lowerdir/)[0]).toContain(
      JSON.stringify('lowerdir=/run/m\\:n\\,o,upperdir=upper,workdir=work,userxattr'),
    );
  });

  test('keeps the capabilities of its bounding set alone', () => {
    const dropped = plan().find(DROP);
    expect(dropped.length).toBeGreaterThan(35);
    expect(dropped.some((line) => line.includes('prctl(24, 0,'))).toBe(false);
  });

  test('installs the filter after no_new_privs where that is asked for', () => {
    plan({ seccomp: FILTER }, { noNewPrivileges: true }).inOrder(SETUID, / capset\(/, NO_NEW_PRIVS, / seccomp\(/, EXEC);
    expect(plan({ seccomp: FILTER }).find(NO_NEW_PRIVS)).toEqual([]);
    expect(plan().find(/ seccomp\(/)).toEqual([]);
  });

  test('is read-only only once everything has its mount point', () => {
    const spec = { root: { path: '/', readonly: true }, mounts: [{ destination: '/data', type: 'tmpfs' }] };
    plan({}, {}, spec).inOrder(/"tmpfs"/, / move_mount\(/, / mount_setattr\(30, /, / pivot_root/);
    expect(plan().find(/ mount_setattr\(30, /)).toEqual([]);
  });

  test('binds folders over folders and files over files, inside the root', () => {
    const bind = { type: 'bind', options: ['rbind', 'ro'] };
    const mounts = [
      { ...bind, destination: '/etc/hosts', source: '/c/hosts', isFile: true },
      { ...bind, destination: '/data', source: '/src' },
    ];
    const lines = plan({}, {}, { mounts });
    lines.inOrder(
      /open_tree\(-100, "\/c\/hosts"/,
      /mknodat\(.*"hosts"/,
      /open_tree\(-100, "\/src"/,
      /mkdirat\(30, "data"/,
    );
    expect(lines.find(/ openat2\(/).every((line) => line.includes('openat2(30, '))).toBe(true);
  });

  test('hides and protects paths after its mounts, where they are there', () => {
    const linux = { readonlyPaths: ['/proc/bus'], maskedPaths: ['/proc/kcore'] };
    const lines = plan({}, {}, { linux, mounts: [{ destination: '/proc', type: 'proc' }] });
    lines.inOrder(
      /fsopen\("proc"/,
      /openat2\(30, "proc\/bus".*or at/,
      /openat2\(30, "proc\/kcore".*or at/,
      / pivot_root/,
    );
  });

  test('gets a terminal of its own devpts as stdio, whose master goes to the monitor', () => {
    const lines = plan({}, { terminal: true });
    lines.inOrder(
      /openat2\(30, "dev\/pts\/ptmx"/,
      / sendmsg\(28, /,
      / pivot_root/,
      / setsid/,
      / dup3\(31, 0, 0\)/,
      EXEC,
    );
    lines.inOrder(/ recvmsg\(29, /, / supervise\(/);
    expect(
      plan()
        .find(/ptmx"/)
        .every((line) => line.includes('symlinkat')),
    ).toBe(true);
  });

  test('reads /dev/null unless its stdin is kept open', () => {
    expect(plan().find(/open(at)?\(-100, "\/dev\/null", 0/)).toHaveLength(1);
    expect(plan({ openStdin: true }).find(/open(at)?\(-100, "\/dev\/null", 0/)).toEqual([]);
  });

  test('with an init has a process that blocks signals before it clones the program, and no fd of ours', () => {
    const lines = plan({ init: true });
    lines.inOrder(PDEATHSIG, / rt_sigprocmask\(/, / close_range\(3, 0xffffffff, 0\)/, / init\(r\d+\)/, EXEC);
  });

  test('joins a network namespace, or makes its own, or stays in the host’s', () => {
    const NEWNET = 0x40000000;
    function flags(lines: Lines, call: string): number[] {
      return lines.find(new RegExp(` ${call}\\(`)).flatMap((line) => (line.match(/0x[0-9a-f]+/g) ?? []).map(Number));
    }
    function cloned(lines: Lines): boolean {
      return flags(lines, 'clone').some((value) => (value & NEWNET) !== 0);
    }
    expect(cloned(plan())).toBe(true);
    const joined = plan({ network: { kind: 'join', pidfd: 5 } });
    joined.inOrder(/ setns\(/, / setns\(5, /);
    expect(cloned(joined)).toBe(false);
    const host = plan({ network: { kind: 'host' } });
    expect(cloned(host)).toBe(false);
    expect(flags(host, 'setns').some((value) => (value & NEWNET) !== 0)).toBe(false);
  });

  test('waits for the word before it touches anything of the host', () => {
    plan().inOrder(/ note\(0\)/, / read\(4, /, / mount\("none", "\/"/);
  });
});

describe('exec', () => {
  function lines(process: Partial<Process> = {}, seccomp?: Buffer): Lines {
    return new Lines(
      execPlan({ process: { ...PROCESS, ...process }, pidfd: 5, namespaces: 0x7e020000, seccomp }).describe(),
    );
  }

  test('hides before it joins, and gives privileges up before it executes', () => {
    lines({}, FILTER).inOrder(
      / reap\(/,
      / prctl\(4, 0, 0, 0, 0\)/,
      / setns\(/,
      / close\(/,
      / chdir\("\/work"\)/,
      / close_range\(/,
      DROP,
      / seccomp\(/,
      SETUID,
      / capset\(/,
      EXEC,
    );
  });

  test('does not end with its parent, and sends its terminal to the client', () => {
    expect(lines().find(PDEATHSIG)).toEqual([]);
    lines({ terminal: true }).inOrder(/ setsid/, /ptmx"/, / sendmsg\(/, / dup3\(31, 0, 0\)/, EXEC);
  });
});
