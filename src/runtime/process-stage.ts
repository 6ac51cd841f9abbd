/** Last stage: what the program may do, who it is, and its start. The order is the one that capabilities(7) forces. */
import { Label, type LaunchPlan } from '../monitor/plan.ts';
import { CAPABILITY_NAMES, CAPABILITY_VERSION_3, capabilityHalves, capabilityMask } from '../oci/capabilities.ts';
import { RLIMITS, rlimitValue } from '../oci/rlimits.ts';
import type { CapabilitySets, Process } from '../oci/runtime-spec.ts';
import { PR, SIGCHLD, SIGKILL } from '../sys/linux-constants.ts';
import { rlimit64, sockFprog } from './structures.ts';

export interface ProcessStage {
  readonly process: Process;
  readonly seccomp?: Buffer | undefined;
  /** SECCOMP_FILTER_FLAG_* bits. */
  readonly seccompFlags?: number | undefined;
  /** Become PID 1 and run the program as a child. */
  readonly init: boolean;
  /** Keep the supplementary groups that it has, unmapped as they are. */
  readonly keepGroups?: boolean | undefined;
  /** Ends with its parent: for a container's first process, whose monitor reports its end. */
  readonly endsWithParent: boolean;
  /** Appends what is to happen right before execve(2), with the program's own privileges. */
  readonly beforeExec?: () => void;
}

const CLOSE_RANGE_CLOEXEC = 4;
const SECCOMP_SET_MODE_FILTER = 1;

/** What may be done while the process is still root of its namespace. */
export function appendLimits(plan: LaunchPlan, process: Process): void {
  for (const { type, soft, hard } of process.rlimits ?? []) {
    const limit = rlimit64(rlimitValue(soft), rlimitValue(hard));
    plan.call('prlimit64', [0, RLIMITS[type]!, limit, 0], `set the limit ${type} to ${soft}:${hard}`);
  }
  plan.call('umask', [process.user.umask ?? 0o022], 'set the umask');
}

/** Gives privileges up and executes the program. stdio is in place, the root is the container's. */
export function appendProcessStage(plan: LaunchPlan, stage: ProcessStage): void {
  const { process, seccomp, seccompFlags = 0, init, endsWithParent } = stage;
  const { user, noNewPrivileges = false, cwd } = process;
  const capabilities = process.capabilities ?? {};
  plan.call('chdir', [cwd], `enter the working directory ${cwd}`);
  plan.call('close_range', [3, 0xffffffff, CLOSE_RANGE_CLOEXEC], 'close file descriptors');
  dropBounding(plan, capabilities);
  // Without no_new_privs, seccomp(2) is for CAP_SYS_ADMIN, which is about to go.
  if (seccomp !== undefined && !noNewPrivileges) installFilter(plan, seccomp, seccompFlags);
  plan.call('prctl', [PR.SET_KEEPCAPS, 1, 0, 0, 0], 'keep capabilities');
  become(plan, user, stage.keepGroups === true);
  setCapabilities(plan, capabilities);
  if (noNewPrivileges) {
    plan.call('prctl', [PR.SET_NO_NEW_PRIVS, 1, 0, 0, 0], 'set no_new_privs');
    if (seccomp !== undefined) installFilter(plan, seccomp, seccompFlags);
  }
  // A change of ids clears it (prctl(2)), so it comes last.
  if (endsWithParent) plan.call('prctl', [PR.SET_PDEATHSIG, SIGKILL, 0, 0, 0], 'end with the monitor');
  if (init) forkInit(plan);
  stage.beforeExec?.();
  execute(plan, process);
}

function dropBounding(plan: LaunchPlan, { bounding = [] }: CapabilitySets): void {
  const kept = new Set<string>(bounding);
  for (const [number, name] of CAPABILITY_NAMES.entries()) {
    // EINVAL: this kernel does not know it yet.
    if (!kept.has(name)) plan.call('prctl', [PR.CAPBSET_DROP, number, 0, 0, 0], `drop ${name}`, { ignore: true });
  }
}

function become(plan: LaunchPlan, { uid, gid, additionalGids = [] }: Process['user'], keepGroups: boolean): void {
  const groups = Buffer.alloc(4 * additionalGids.length);
  for (const [i, group] of additionalGids.entries()) groups.writeUInt32LE(group, 4 * i);
  // With a single-id map setgroups(2) is denied for good, and there are no groups to give up (user_namespaces(7)).
  if (!keepGroups) plan.call('setgroups', [additionalGids.length, groups], 'set the groups', { ignore: true });
  plan.call('setresgid', [gid, gid, gid], `become group ${gid} (is it mapped? see 'trun doctor')`);
  plan.call('setresuid', [uid, uid, uid], `become user ${uid} (is it mapped? see 'trun doctor')`);
}

function setCapabilities(
  plan: LaunchPlan,
  { effective = [], permitted = [], inheritable = [], ambient = [] }: CapabilitySets,
): void {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(CAPABILITY_VERSION_3, 0);
  const halves = [effective, permitted, inheritable].map((names) => capabilityHalves(capabilityMask(names)));
  const data = Buffer.alloc(24);
  for (const half of [0, 1] as const) {
    for (const [i, set] of halves.entries()) data.writeUInt32LE(set[half] >>> 0, 12 * half + 4 * i);
  }
  plan.call('prctl', [PR.CAP_AMBIENT, PR.CAP_AMBIENT_CLEAR_ALL, 0, 0, 0], 'clear ambient capabilities', {
    ignore: true,
  });
  plan.call('capset', [header, data], 'set capabilities');
  for (const name of ambient) {
    const number = (CAPABILITY_NAMES as readonly string[]).indexOf(name);
    plan.call('prctl', [PR.CAP_AMBIENT, PR.CAP_AMBIENT_RAISE, number, 0, 0], `make ${name} ambient`, { ignore: true });
  }
}

function installFilter(plan: LaunchPlan, filter: Buffer, flags: number): void {
  plan.call('seccomp', [SECCOMP_SET_MODE_FILTER, flags, sockFprog(filter)], 'install the seccomp filter');
}

function forkInit(plan: LaunchPlan): void {
  const program = new Label();
  const [all, none] = [Buffer.alloc(8, 0xff), Buffer.alloc(8)];
  // Blocked from before the fork on, no signal is lost on its way to the program.
  plan.call('rt_sigprocmask', [2 /* SIG_SETMASK */, all, 0, 8], 'block signals');
  const pid = plan.fork('clone', [SIGCHLD, 0, 0, 0, 0], program, 'clone the program');
  plan.call('close_range', [3, 0xffffffff, 0], 'close file descriptors');
  plan.rename('trun-init');
  plan.pseudo('init', [pid], 'be PID 1');
  plan.place(program);
  plan.call('rt_sigprocmask', [2, none, 0, 8], 'unblock signals');
  plan.call('setsid', [], 'start a session', { ignore: true });
}

/** The paths that execvp(3) tries: a name with a slash is one, else it is looked for in each folder of PATH. */
export function executableCandidates(name: string, env: readonly string[] = []): string[] {
  if (name === '') return [];
  if (name.includes('/')) return [name];
  const path =
    env.find((entry) => entry.startsWith('PATH='))?.slice(5) ??
    '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  return path.split(':').map((folder) => `${folder === '' ? '.' : folder}/${name}`);
}

function execute(plan: LaunchPlan, { args, env = [] }: Process): void {
  const name = args[0] ?? '';
  plan.pseudo(
    'exec',
    [
      plan.strings(executableCandidates(name, env), 'paths'),
      plan.strings(args, 'arguments'),
      plan.strings(env, 'environment'),
    ],
    `execute ${name}`,
  );
}
