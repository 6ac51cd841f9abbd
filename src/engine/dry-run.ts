/** `run --dry-run`: what a start would do, and nothing done. */
import { join } from 'node:path';
import type { RuntimeSpec } from '../oci/runtime-spec.ts';
import { resolveCommand } from '../oci/command.ts';
import { containerPlan } from '../runtime/container-plan.ts';
import type { ContainerConfig, ContainerRequest } from './container.ts';
import type { EngineContext } from './context.ts';
import { chooseWritable } from './create.ts';
import { launchInput } from './launch.ts';
import { InheritedPidfds, sharedNamespaces } from './shared-namespaces.ts';
import { findLower, findSource } from './lower.ts';

export interface DryRun {
  readonly spec: RuntimeSpec;
  /** The launch plan in words, a system call a line. */
  readonly plan: readonly string[];
}

/** The runtime spec and the launch plan of a container that is not made. Network addresses are left open. */
export async function dryRun(context: EngineContext, request: ContainerRequest): Promise<DryRun> {
  const { paths } = context;
  const source = findSource(context, request);
  const holder = await context.holder();
  const writable = await chooseWritable(context, request);
  const id = '0'.repeat(64);
  const config: ContainerConfig = {
    version: 1,
    id,
    name: request.name ?? 'dry-run',
    created: new Date().toISOString(),
    request,
    ...(source.image === undefined ? {} : { image: { id: source.image.id, manifest: source.image.manifest } }),
    command: resolveCommand(source.config, request.options.args ?? [], request.options.entrypoint),
    writable,
    volumes: Object.fromEntries(
      request.mounts.flatMap((mount) => (mount.type === 'volume' ? [[mount.target, mount.source]] : [])),
    ),
  };
  using pidfds = new InheritedPidfds();
  const folder = join(paths.containers, id);
  const lower = findLower(context, config, holder.map);
  const mountPoint = join(paths.run, 'mounts', writable === 'kernel' ? lower.key : id);
  const input = await launchInput(context, {
    container: { folder, config, state: { status: 'created', starts: 0, logStart: 0 } },
    holder,
    lower,
    root:
      writable === 'kernel'
        ? { kind: 'overlay', lower: mountPoint, folder, upper: 'upper', work: 'work' }
        : { kind: 'folder', path: mountPoint },
    networking: {
      namespace: { kind: request.network === 'host' ? 'host' : 'new' },
      configure: undefined,
      etcFolder: folder,
    },
    shared: sharedNamespaces(context, request, pidfds),
    cgroup: undefined,
    consoleSize: undefined,
  });
  return { spec: input.spec, plan: containerPlan(input).describe() };
}
