/** Making a container: everything that `run` does before anything runs. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { syncFolder } from '../state/atomic-file.ts';
import { resolveCommand } from '../oci/command.ts';
import { InvalidInput } from '../oci/invalid-input.ts';
import { resolveHealthCheck } from '../oci/options/health.ts';
import { containerCapabilities } from '../oci/image-to-spec.ts';
import { probeKernelOverlay, writableLayer } from '../storage/probe.ts';
import type { WritableKind } from '../storage/writable-layer.ts';
import {
  findContainer,
  listContainers,
  type Container,
  type ContainerConfig,
  type ContainerRequest,
} from './container.ts';
import { cdiEdits } from './cdi.ts';
import { recordContainerEvent } from './container-event.ts';
import { saveConfig, saveState, type EngineContext } from './context.ts';
import { EngineError } from './engine-error.ts';
import { fillVolume } from './fill-volume.ts';
import { findLower, findSource, type Source } from './lower.ts';
import { generateName } from './names.ts';
import { checkNetworks } from './check-networks.ts';
import { createVolume, readVolume } from './volumes.ts';

/** Docker's rule for names. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Makes a container and returns it. Nothing is left behind where that fails. */
export async function createContainer(context: EngineContext, asked: ContainerRequest): Promise<Container> {
  const { paths } = context;
  const request = withVolumesFrom(context, asked);
  checkOthers(context, request);
  const source = findSource(context, request);
  const command = checkCommand(source, request);
  const health = asEngineError(() => resolveHealthCheck(request.health, source.config.Healthcheck));
  const stopSignal = request.stopSignal ?? source.config.StopSignal;
  const name = chooseName(context, request.name);
  const id = randomBytes(32).toString('hex');
  const writable = await chooseWritable(context, request);
  const networks = checkNetworks(paths, request);

  const config: ContainerConfig = {
    version: 1,
    id,
    name,
    created: new Date().toISOString(),
    request,
    ...(source.image === undefined ? {} : { image: { id: source.image.id, manifest: source.image.manifest } }),
    command,
    writable,
    volumes: provideVolumes(context, request, source),
    ...(stopSignal === undefined ? {} : { stopSignal }),
    ...(health === undefined ? {} : { health }),
    ...(networks === undefined ? {} : { networks }),
  };
  if (source.image !== undefined) await fillVolumes(context, config);
  const folder = join(paths.containers, id);
  const draft = mkdtempSync(join(paths.containers, 'new-'));
  try {
    writableLayer(writable).create(draft);
    mkdirSync(join(draft, 'root'));
    saveConfig(draft, config);
    const state = { status: 'created', starts: 0, logStart: 0 } as const;
    saveState({ folder: draft, config }, state);
    renameSync(draft, folder);
    if (!request.autoRemove) syncFolder(paths.containers);
    recordContainerEvent(context, config, 'create');
    return { folder, config, state };
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw error;
  }
}

/** The mounts of other containers come after its own, which stand over them. */
function withVolumesFrom({ paths }: EngineContext, request: ContainerRequest): ContainerRequest {
  const mounts = [...request.mounts];
  for (const text of request.volumesFrom ?? []) {
    const [, name = text, mode] = /^(.*?)(?::(ro|rw|z|Z))?$/s.exec(text) ?? [];
    const { config } = findContainer(paths, name);
    const theirs = config.request.mounts.map((mount) => {
      return mount.type === 'volume' ? { ...mount, source: config.volumes[mount.target] ?? mount.source } : mount;
    });
    const ofImage = Object.entries(config.volumes).map(([target, source]) => {
      return { type: 'volume', source, target, readOnly: false, noCopy: true, labels: {} } as const;
    });
    for (const mount of [...theirs, ...ofImage]) {
      if (mount.type === 'tmpfs' || mounts.some(({ target }) => target === mount.target)) continue;
      mounts.push(mode === 'ro' ? { ...mount, readOnly: true } : mount);
    }
  }
  return { ...request, mounts };
}

/** Other containers and devices that it names are there, or it is not made. */
function checkOthers({ paths }: EngineContext, { ipc, pid, cdi = [] }: ContainerRequest): void {
  for (const choice of [ipc, pid]) if (typeof choice === 'object') findContainer(paths, choice.container);
  cdiEdits(cdi);
}

/** What can be known to fail later fails now. */
function checkCommand({ config }: Source, request: ContainerRequest): string[] {
  return asEngineError(() => {
    containerCapabilities(request.options);
    return resolveCommand(config, request.options.args ?? [], request.options.entrypoint);
  });
}

function asEngineError<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof InvalidInput) throw new EngineError('INVALID', error.message, { cause: error });
    throw error;
  }
}

function chooseName({ paths }: EngineContext, wanted: string | undefined): string {
  const taken = new Map(listContainers(paths).map(({ config }) => [config.name, config.id]));
  if (wanted === undefined) return generateName((name) => taken.has(name));
  checkName(wanted, taken);
  return wanted.replace(/^\//, '');
}

/** Throws where a name cannot be or is another container's. */
export function checkName(wanted: string, taken: ReadonlyMap<string, string>): void {
  const name = wanted.replace(/^\//, '');
  if (!NAME.test(name)) {
    throw new EngineError('INVALID', `Invalid container name (${wanted}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  }
  const owner = taken.get(name);
  if (owner === undefined) return;
  throw new EngineError(
    'CONFLICT',
    `Conflict. The container name "/${name}" is already in use by container "${owner}". ` +
      'You have to remove (or rename) that container to be able to reuse that name.',
  );
}

/** The kind of writable layer: what was asked for, or the fastest that this host permits. */
export async function chooseWritable(context: EngineContext, { storage }: ContainerRequest): Promise<WritableKind> {
  const limited = storage.size !== undefined || storage.inodes !== undefined;
  if (limited && storage.writable === 'kernel') {
    throw new EngineError(
      'INVALID',
      'A kernel writable layer has no quota: leave writable=kernel out, or size=… and inodes=…',
    );
  }
  if (storage.writable === 'fuse' || (limited && storage.writable === 'auto')) return 'fuse';
  const { kernel, reason } = await probeKernelOverlay(context.paths, await context.holder());
  if (kernel) return 'kernel';
  if (storage.writable === 'auto') return 'fuse';
  throw new EngineError(
    'UNSUPPORTED',
    `This host cannot give a kernel writable layer (${reason}); use --storage-opt writable=fuse`,
  );
}

async function fillVolumes(context: EngineContext, config: ContainerConfig): Promise<void> {
  const noCopy = new Set(
    config.request.mounts.flatMap((mount) => (mount.type === 'volume' && mount.noCopy ? [mount.target] : [])),
  );
  const wanted = Object.entries(config.volumes).filter(([target]) => !noCopy.has(target));
  if (wanted.length === 0) return;
  const holder = await context.holder();
  const lower = findLower(context, config, holder.map);
  for (const [target, volume] of wanted) await fillVolume(context.paths, holder, lower, target, volume);
}

/** The volumes that the request and the image name, made where they are missing: mount point -> volume. */
function provideVolumes(
  { paths }: EngineContext,
  { mounts }: ContainerRequest,
  { config }: Source,
): Record<string, string> {
  const volumes: Record<string, string> = {};
  for (const mount of mounts) {
    if (mount.type !== 'volume') continue;
    const known = mount.source === '' ? undefined : readVolume(paths, mount.source);
    const volume =
      known ?? createVolume(paths, { ...(mount.source === '' ? {} : { name: mount.source }), labels: mount.labels });
    volumes[mount.target] = volume.name;
  }
  for (const target of Object.keys(config.Volumes ?? {})) {
    if (mounts.some((mount) => mount.target === target)) continue;
    volumes[target] = createVolume(paths, { labels: {} }).name;
  }
  return volumes;
}
