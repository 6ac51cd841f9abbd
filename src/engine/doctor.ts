/**
 * What trun needs from the host, one thing after the other. What can be tried is tried: versions and settings say less
 * than the kernel does.
 */
import { limitsSupport } from '../cgroup/enter-delegated-scope.ts';
import { ensureHolder, findMapTools } from '../holder/holder.ts';
import { findIdMap } from '../holder/id-map.ts';
import { LaunchPlan } from '../monitor/plan.ts';
import { startMonitor } from '../monitor/start.ts';
import type { StatePaths } from '../state/paths.ts';
import { probeKernelOverlay } from '../storage/probe.ts';
import { landlockAbi } from '../sys/landlock.ts';
import { CLONE, MS } from '../sys/linux-constants.ts';
import {
  checkDevice,
  checkFileSystem,
  checkIdMap,
  checkKernel,
  checkLandlock,
  checkLowPorts,
  checkPing,
  checkRuntimeFolder,
  checkYama,
  explainNoNamespaces,
  finding,
} from './doctor-checks.ts';
import { type Host, thisHost } from './doctor-host.ts';

export interface Finding {
  /** What was looked for. */
  readonly name: string;
  /** `missing`: containers do not run. `limited`: they run, with less. */
  readonly status: 'ok' | 'limited' | 'missing';
  readonly detail: string;
  /** What to do about it; where it takes an administrator, the command. */
  readonly mend?: string;
}

/** Looks at everything. Throws nothing for what is found; a holder may be running afterwards that was not before. */
export async function examineHost(paths: StatePaths, host: Host = thisHost): Promise<Finding[]> {
  const namespaces = await checkNamespaces(host);
  const map = await ensureHolder(paths).then(
    (holder) => holder.map,
    () => findIdMap(findMapTools() !== undefined),
  );
  const overlay = namespaces.status === 'ok' ? await checkOverlay(paths) : finding('overlay', 'limited', 'not tried');
  // Where the kernel's overlay works, plain copies of images can be its lower layer.
  const fuse =
    overlay.status === 'ok'
      ? checkDevice(host, '/dev/fuse', 'limited', 'images are copied out first, host and --rootfs do not run')
      : checkDevice(host, '/dev/fuse', 'missing', 'images cannot be mounted');
  return [
    checkKernel(host),
    namespaces,
    checkIdMap(map, host),
    fuse,
    checkDevice(host, '/dev/net/tun', 'limited', 'containers have --network none and host alone'),
    checkYama(host),
    checkLandlock(landlockAbi()),
    checkFileSystem(host, paths.root),
    overlay,
    await checkLimits(),
    checkRuntimeFolder(host, paths.run),
    checkPing(host),
    checkLowPorts(host),
  ];
}

/** Makes a user namespace and does in it what AppArmor's restriction and seccomp filters forbid. */
async function checkNamespaces(host: Host): Promise<Finding> {
  const plan = new LaunchPlan();
  const all = CLONE.NEWUSER | CLONE.NEWNS | CLONE.NEWNET | CLONE.NEWIPC | CLONE.NEWUTS;
  plan.call('unshare', [all], 'make a user namespace');
  plan.call('mount', ['none', '/', 'none', MS.REC | MS.PRIVATE, 0], 'use a user namespace (change a mount in it)');
  plan.call('exit_group', [0], 'leave');
  try {
    await startMonitor(plan).next();
    return finding('user namespaces', 'ok', 'may be made');
  } catch (error) {
    return explainNoNamespaces(host, (error as Error).message);
  }
}

async function checkOverlay(paths: StatePaths): Promise<Finding> {
  try {
    const { kernel, reason = '' } = await probeKernelOverlay(paths, await ensureHolder(paths));
    if (kernel) return finding('overlay', 'ok', "the kernel's overlayfs is the writable layer");
    return finding('overlay', 'limited', `${reason}: the writable layer is served by FUSE, which is slower`);
  } catch (error) {
    return finding('overlay', 'missing', (error as Error).message);
  }
}

async function checkLimits(): Promise<Finding> {
  const { controllers, reason, mend } = await limitsSupport();
  if (reason === '') return finding('limits', 'ok', `cgroup v2 with ${controllers.join(', ')}`);
  const detail = `${reason}: --memory, --cpus and --pids-limit cannot be had`;
  return finding('limits', 'limited', detail, mend);
}
