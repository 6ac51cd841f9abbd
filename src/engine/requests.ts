/** What the agent is asked to do. One JSON line each way over its socket; containers are named as users name them. */
import type { TrafficRules } from '../base/traffic.ts';
import type { ContainerFlow, ProcessStatus } from '../network/process/protocol.ts';
import type { NetworkRequest } from '../network/create-network.ts';
import type { BootResult } from './boot.ts';
import type { StepRequest } from './build-step.ts';
import type { ContainerRequest, NetworkAttachment } from './container.ts';
import type { DryRun } from './dry-run.ts';
import type { WaitCondition } from './stop.ts';
import type { ContainerUpdate } from './update.ts';

/** A program to be run in a running container, as `exec` has it. Its stdio and status socket come as fds. */
export interface ExecRequest {
  readonly container: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  readonly tty: boolean;
  readonly consoleSize?: ConsoleSize;
  readonly privileged: boolean;
}

export interface ConsoleSize {
  readonly height: number;
  readonly width: number;
}

export interface Requests {
  create: { params: { request: ContainerRequest }; result: { id: string; warnings: readonly string[] } };
  /** Create and start in one. `wait`: a second line `{exitCode}` follows when it has ended. */
  run: { params: { request: ContainerRequest; consoleSize?: ConsoleSize; wait: boolean }; result: Started };
  /** The spec and the plan of a start that does not take place. */
  dryRun: { params: { request: ContainerRequest }; result: DryRun };
  start: { params: { container: string; consoleSize?: ConsoleSize; wait: boolean }; result: Started };
  /** Seconds; absent: the container's own, else 10. */
  stop: { params: { container: string; timeout?: number; signal?: string }; result: object };
  restart: { params: { container: string; timeout?: number; signal?: string }; result: object };
  kill: { params: { container: string; signal: string }; result: object };
  remove: { params: { container: string; force: boolean; volumes: boolean }; result: object };
  rename: { params: { container: string; name: string }; result: object };
  /** Answers when the condition holds; absent: when the container has ended (at once where it does not run). */
  wait: { params: { container: string; condition?: WaitCondition }; result: { exitCode: number } };
  pause: { params: { container: string }; result: object };
  unpause: { params: { container: string }; result: object };
  update: { params: { container: string; update: ContainerUpdate }; result: object };
  /** Starts what its restart policy wants to run. */
  boot: { params: object; result: BootResult };
  /** With four fds: stdin, stdout, stderr (for a terminal: unused), status socket (exec.ts). */
  exec: { params: ExecRequest; result: object };
  /** With three fds: stdin, stdout, stderr. A second line `{exitCode}` follows; ends with its connection. */
  buildStep: { params: StepRequest; result: object };
  createVolume: { params: { name?: string; labels: Record<string, string> }; result: { name: string } };
  removeVolume: { params: { name: string; force: boolean }; result: object };
  createNetwork: { params: { request: NetworkRequest }; result: { id: string } };
  removeNetwork: { params: { name: string; force: boolean }; result: object };
  connectNetwork: { params: { container: string; attachment: NetworkAttachment }; result: object };
  disconnectNetwork: { params: { network: string; container: string; force: boolean }; result: object };
  networkFlows: { params: object; result: { networks: readonly NetworkFlows[] } };
  limitTraffic: { params: { container: string; changes: TrafficRules }; result: object };
  /** Ends the mount of an image that has been removed. */
  forgetImage: { params: { manifest: string }; result: object };
  /** What the agent says of itself. */
  status: { params: object; result: { pid: number; version: string; running: number } };
}

/** What flows through a network now, and its counters (of each TAP). */
export interface NetworkFlows {
  readonly network: string;
  readonly flows: readonly ContainerFlow[];
  readonly stats: readonly ProcessStatus['stats'][string][];
}

export interface Started {
  readonly id: string;
  /** Which start this is, and where its output begins in the log's index. */
  readonly starts: number;
  readonly logStart: number;
  /** What the user should know and has not been told yet. */
  readonly warnings: readonly string[];
}

export type RequestName = keyof Requests;
