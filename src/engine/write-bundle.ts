/** `bundle`: an image as an OCI bundle, for trun-oci and any other runtime. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join, resolve } from 'node:path';
import type { IdExtent } from '../base/id-extents.ts';
import { findIdMap } from '../holder/id-map.ts';
import { containerCapabilities, containerSpec } from '../oci/image-to-spec.ts';
import { InvalidInput } from '../oci/invalid-input.ts';
import type { IdMapping, Linux, RuntimeSpec } from '../oci/runtime-spec.ts';
import { DEFAULT_PROFILE } from '../oci/seccomp/default-profile.ts';
import { type SeccompTarget, selectRules } from '../oci/seccomp/select-rules.ts';
import type { StatePaths } from '../state/paths.ts';
import { readLowerText } from '../storage/lower-files.ts';
import { type RootfsResult, writeRootfs } from '../storage/write-rootfs.ts';
import { EngineError } from './engine-error.ts';
import { imageMountKey } from './lower.ts';
import { openEngineImages } from './images.ts';

export interface BundleRequest {
  readonly image: string;
  /** Made where it is missing; must be empty. */
  readonly folder: string;
  /** Instead of the image's. */
  readonly command: readonly string[];
  readonly tty: boolean;
}

const ACCOUNT_LIMIT = 8 << 20;

/** Writes `rootfs/` and `config.json`. Root keeps the owners of files; a user's bundle has a user namespace of its own. */
export function writeBundle(paths: StatePaths, { image: name, folder, command, tty }: BundleRequest): RootfsResult {
  const images = openEngineImages(paths);
  const image = images.find(name);
  const tree = images.findTree(image.manifest);
  if (tree === undefined) throw new EngineError('NOT_FOUND', `No such image: ${name}`);
  const lower = {
    key: imageMountKey(image.manifest),
    content: { kind: 'tree', ...tree, owner: false },
  } as const;
  const users = {
    passwd: readLowerText(lower, '/etc/passwd', ACCOUNT_LIMIT),
    group: readLowerText(lower, '/etc/group', ACCOUNT_LIMIT),
  };
  const isRoot = process.geteuid!() === 0;
  const seccompTarget: SeccompTarget = {
    arch: process.arch as SeccompTarget['arch'],
    capabilities: containerCapabilities({}),
    kernel: release(),
  };
  let spec: RuntimeSpec;
  try {
    spec = containerSpec({
      id: image.id.replace(/^sha256:/, ''),
      image: image.config,
      users,
      rootfs: 'rootfs',
      options: { args: command, tty, hostname: 'trun' },
      mounts: [],
      choices: { ownNetwork: isRoot, mappedGroups: isRoot ? 2 ** 32 - 1 : 1, cgroup: false },
      seccomp: selectRules(DEFAULT_PROFILE, seccompTarget),
    });
  } catch (error) {
    if (error instanceof InvalidInput) throw new EngineError('INVALID', error.message, { cause: error });
    throw error;
  }

  const bundle = resolve(folder);
  const rootfs = join(bundle, 'rootfs');
  makeEmpty(bundle);
  mkdirSync(rootfs, { mode: 0o755 });
  const result = writeRootfs(tree, rootfs, { keepOwners: isRoot });
  const config = { ...spec, ociVersion: '1.0.2', linux: isRoot ? rootsOwn(spec.linux) : usersOwn(spec.linux) };
  writeFileSync(join(bundle, 'config.json'), `${JSON.stringify(config, plainNumbers, 2)}\n`);
  return result;
}

function makeEmpty(folder: string): void {
  mkdirSync(folder, { recursive: true });
  if (readdirSync(folder).length > 0) {
    throw new EngineError('CONFLICT', `Cannot write a bundle to ${folder}: it is not empty`);
  }
}

/** Root's container has the host's ids, as engines give it. */
function rootsOwn(linux: Linux = {}): Linux {
  return { ...linux, namespaces: (linux.namespaces ?? []).filter(({ type }) => type !== 'user') };
}

/** A user's container has the ids that the user may map, the first of them the user itself. */
function usersOwn(linux: Linux = {}): Linux {
  const map = findIdMap(true);
  return { ...linux, uidMappings: map.uid.map(mapping), gidMappings: map.gid.map(mapping) };
}

function mapping({ inside, outside, count }: IdExtent): IdMapping {
  return { containerID: inside, hostID: outside, size: count };
}

/** Values of seccomp's rules are bigints; those of the default profile are exact as numbers. */
function plainNumbers(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}
