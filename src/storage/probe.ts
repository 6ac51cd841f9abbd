/** Which writable layer this host permits: tried, not guessed from version numbers. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { Holder } from '../holder/holder.ts';
import { nestedExtents } from '../base/id-extents.ts';
import { appendMappedClone } from '../monitor/mapped-clone.ts';
import { joinNamespaces } from '../monitor/join-namespaces.ts';
import { LaunchPlan } from '../monitor/plan.ts';
import { startMonitor } from '../monitor/start.ts';
import { readJson, writeJson } from '../state/atomic-file.ts';
import type { StatePaths } from '../state/paths.ts';
import { AT_FDCWD, AT_REMOVEDIR, CLONE, MS, O, S_IF } from '../sys/linux-constants.ts';
import { fuseUnion } from './fuse-union.ts';
import { kernelOverlay } from './kernel-overlay.ts';
import { removeTrees } from './remove-tree.ts';
import type { WritableKind, WritableLayer } from './writable-layer.ts';

interface Probe {
  readonly holder: number;
  readonly kernel: boolean;
  /** Why not, as the kernel said. */
  readonly reason?: string;
}

export function writableLayer(kind: WritableKind): WritableLayer {
  return kind === 'kernel' ? kernelOverlay : fuseUnion;
}

/** Whether overlayfs works in a container's namespaces with its upper layer where containers lie. Asked once per holder. */
export async function probeKernelOverlay(paths: StatePaths, holder: Holder): Promise<Probe> {
  const file = join(paths.run, 'overlay-probe.json');
  const known = readJson<Probe>(file);
  if (known?.holder === holder.process.startTime) return known;

  const folder = mkdtempSync(join(paths.containers, 'probe-'));
  let probe: Probe = { holder: holder.process.startTime, kernel: true };
  try {
    for (const name of ['lower', 'upper', 'work', 'root']) mkdirSync(join(folder, name));
    await startMonitor(overlayPlan(holder, folder)).next();
  } catch (error) {
    probe = { ...probe, kernel: false, reason: (error as Error).message };
  }
  await removeTrees(holder, [folder]);
  writeJson(file, probe);
  return probe;
}

/** As a container does it: in a user namespace of its own, with a file made, one deleted and a folder replaced. */
function overlayPlan({ process, map }: Holder, folder: string): LaunchPlan {
  const plan = new LaunchPlan();
  joinNamespaces(plan, process.pid, CLONE.NEWNS);
  plan.call('chdir', [folder], `enter ${folder}`);
  for (const name of ['file', 'folder']) {
    const mode = name === 'file' ? S_IF.REG | 0o644 : 0o755;
    const call = name === 'file' ? 'mknodat' : 'mkdirat';
    plan.call(call, [AT_FDCWD, `lower/${name}`, mode, 0], `create lower/${name}`);
  }

  appendMappedClone(plan, CLONE.NEWNS, { uid: nestedExtents(map.uid), gid: nestedExtents(map.gid) });
  const options = 'lowerdir=lower,upperdir=upper,workdir=work,userxattr';
  plan.call('mount', ['overlay', 'root', 'overlay', MS.NODEV, options], 'mount overlayfs in a user namespace');
  plan.call('unlinkat', [AT_FDCWD, 'root/file', 0], 'delete a lower file in an overlay');
  plan.call('unlinkat', [AT_FDCWD, 'root/folder', AT_REMOVEDIR], 'delete a lower folder in an overlay');
  plan.call('mkdirat', [AT_FDCWD, 'root/folder', 0o755], 'replace a lower folder in an overlay');
  plan.call('openat', [AT_FDCWD, 'root/new', O.WRONLY | O.CREAT, 0o644], 'create a file in an overlay');
  plan.call('exit_group', [0], 'leave');
  return plan;
}
