import { ContainerCgroups } from './cgroup/container-cgroups.ts';
import { type ContainerFolder, type ContainerRecord, type Status, statusOf } from './container-record.ts';

/** The state of the runtime spec (runtime.md), and what runc adds to it. */
export interface ContainerState {
  readonly ociVersion: string;
  readonly id: string;
  readonly pid: number;
  readonly status: Status;
  readonly bundle: string;
  readonly rootfs: string;
  readonly created: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner: number;
}

export function stateOf(folder: ContainerFolder, record: ContainerRecord): ContainerState {
  const { ociVersion, id, bundle, rootfs, created, owner, annotations, init } = record;
  const status = fullStatus(folder, record);
  return {
    ociVersion,
    id,
    pid: status === 'stopped' ? 0 : (init?.pid ?? 0),
    status,
    bundle,
    rootfs,
    created,
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    owner,
  };
}

export function fullStatus(folder: ContainerFolder, record: ContainerRecord): Status {
  const status = statusOf(folder, record);
  return status === 'running' && new ContainerCgroups(record.cgroup).isFrozen() ? 'paused' : status;
}
