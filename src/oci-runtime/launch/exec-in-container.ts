import { closeSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../base/error-code.ts';
import { LaunchError } from '../../monitor/record.ts';
import { type PlanProcess, spawnPlan } from '../../monitor/spawn-plan.ts';
import type { Linux, Process } from '../../oci/runtime-spec.ts';
import { bundleExecPlan } from '../../runtime/bundle-exec-plan.ts';
import { BUNDLE_FD } from '../../runtime/bundle-launch.ts';
import { receiveWithFds } from '../../sys/fd-passing.ts';
import { makeSocketPair } from '../../sys/pipe.ts';
import { ContainerCgroups } from '../cgroup/container-cgroups.ts';
import { readHierarchies } from '../cgroup/hierarchies.ts';
import type { ContainerRecord } from '../container-record.ts';
import { log } from '../log.ts';
import { writePidFile } from './create-container.ts';
import { executionFailure } from './launch-failure.ts';
import { preservedFdMap, processInput } from './process-input.ts';

export interface ExecRequest {
  readonly process: Process;
  readonly linux: Linux;
  readonly console: number | undefined;
  readonly detach: boolean;
  readonly pidFile: string | undefined;
  readonly preserveFds: number;
  readonly rootless: boolean;
}

/** Runs a program in a container; returns its exit status, or 0 where nobody waits for it. */
export async function execInContainer(record: ContainerRecord, request: ExecRequest): Promise<number> {
  const { process, linux, detach } = request;
  const input = processInput(process, linux, request.preserveFds);
  const init = record.init!;
  const foreground = !detach;
  const own = process.terminal === true && request.console === undefined;
  const [ours, theirs] = own ? makeSocketPair() : [];
  const console = request.console ?? theirs;
  const plan = bundleExecPlan({ ...input, pid: init.pid, namespaces: record.namespaces, foreground });
  const program = spawnPlan(plan, [
    ...preservedFdMap(input.preservedFds, BUNDLE_FD.preserved),
    ...(console === undefined ? [] : [[console, BUNDLE_FD.console] as const]),
  ]);
  if (theirs !== undefined) closeSync(theirs);
  try {
    const joiner = note(program);
    await enterCgroup(record, foreground ? joiner : program.pid, request.rootless);
    program.go();
    const pid = note(program);
    if (process.oomScoreAdj !== undefined) setOomScore(pid, process.oomScoreAdj);
    if (request.pidFile !== undefined) writePidFile(request.pidFile, pid);
    const master = ours === undefined ? undefined : receiveWithFds(ours, 1).fds[0];
    if (detach) {
      // The program's start closes its end.
      while (program.next() !== undefined);
      return 0;
    }
    const { attend } = await import('./foreground.ts');
    return await attend(program, pid, master, plan);
  } catch (error) {
    if (error instanceof LaunchError) throw executionFailure(error);
    throw error;
  }
}

function note(program: PlanProcess): number {
  const record = program.next();
  if (record === undefined) throw new Error('the container has ended');
  return record.value;
}

/**
 * The container's own cgroup; where it has divided that further (systemd inside) none may enter it, so that of the first
 * process does (cgroup-v2.rst, "No Internal Process Constraint").
 */
async function enterCgroup({ cgroup, init }: ContainerRecord, pid: number, rootless: boolean): Promise<void> {
  if (cgroup.version === 0) return;
  try {
    new ContainerCgroups(cgroup).enter(pid);
  } catch (error) {
    if (cgroup.unit !== undefined && ['EACCES', 'EPERM'].includes(errorCode(error) ?? '')) {
      const { attachToUnit } = await import('../cgroup/systemd-unit.ts');
      return attachToUnit(cgroup.unit, pid);
    }
    const hierarchies = readHierarchies();
    const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${init!.pid}/cgroup`, 'utf8'))?.[1];
    if (hierarchies.version === 2 && path !== undefined && errorCode(error) === 'EBUSY') {
      writeFileSync(join(hierarchies.mountPoint, path, 'cgroup.procs'), String(pid));
    } else if (!rootless) {
      throw error;
    } else {
      log('debug', `exec outside of the container's cgroup: ${(error as Error).message}`);
    }
  }
}

function setOomScore(pid: number, score: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(score));
  } catch {
    // Lower than the caller's own takes privileges, and the program may have started: the container's own counts.
  }
}
