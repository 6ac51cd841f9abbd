import type { Digest } from './digest.ts';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readSettings, settingBoolean, settingLists, settingStrings, type Settings } from '../state/settings.ts';
import type { RegistryOptions } from './registry/registry-session.ts';
import { StoreLayout } from './store/layout.ts';
import { keepReserve } from './store/reserve.ts';
import { defaultUnpackLimits, type UnpackLimits } from './unpack/limits.ts';

export interface ImageStoreOptions {
  /** Hosts, `host:port` or CIDR ranges whose certificates don't count and that may speak plain http. Loopback always may. */
  readonly insecureRegistries?: readonly string[];
  /** Addresses to ask before a registry itself, by the registry's domain. */
  readonly mirrors?: Readonly<Record<string, readonly string[]>>;
  /** Folders of stores that are only read. */
  readonly additionalStores?: readonly string[];
  /** Whether layers' blobs stay when they are unpacked. Default: yes. */
  readonly keepBlobs?: boolean;
  /** Bounds on what one layer may unpack to. */
  readonly limits?: Partial<UnpackLimits>;
  /** Patience with registries, for tests. */
  readonly registry?: Pick<RegistryOptions, 'retry' | 'idleTimeout'>;
  /** For credentials (`HOME`, `DOCKER_CONFIG`), their helper programs, and proxies (`HTTPS_PROXY`…). Default: the process'. */
  readonly env?: NodeJS.ProcessEnv;
}

/** The images of one user: a handle without state, made by `openImageStore`. */
export interface ImageStore {
  readonly layout: StoreLayout;
  readonly limits: UnpackLimits;
  readonly options: ImageStoreOptions;
  /** Where the contents of all trees' files lie (`contentPath`). */
  readonly filesDir: string;
  /** Stores that are only read, in the order in which they are asked for what this one lacks. */
  readonly shared: readonly ImageStore[];
}

/**
 * Opens the store at `root` (`<state>/images`), making it where there is none. Any number of processes may use it at once. What
 * `options` leave open the configuration file beside it says (settings.ts).
 */
export function openImageStore(root: string, options: ImageStoreOptions = {}): ImageStore {
  const layout = new StoreLayout(root);
  layout.create();
  keepReserve(layout);
  const settings = readSettings(dirname(root));
  const store = {
    layout,
    limits: { ...defaultUnpackLimits, ...options.limits },
    options: { ...registrySettings(settings), ...options },
    filesDir: layout.files,
  };
  const shared = (options.additionalStores ?? settingStrings(settings, 'additional-stores')).flatMap((path) => {
    const found = sharedLayout(path);
    return found && found.root !== layout.root ? [{ ...store, layout: found, filesDir: found.files, shared: [] }] : [];
  });
  return { ...store, shared };
}

/** A store of somebody else's, by its own folder or the state folder above it; undefined while there is none. */
function sharedLayout(path: string): StoreLayout | undefined {
  const root = [path, join(path, 'images')].find((each) => existsSync(join(each, 'oci-layout')));
  return root === undefined ? undefined : new StoreLayout(root);
}

/** The keys of Docker's daemon.json, and mirrors of other registries. */
function registrySettings(settings: Settings): Pick<ImageStoreOptions, 'insecureRegistries' | 'mirrors' | 'keepBlobs'> {
  const hub = settingStrings(settings, 'registry-mirrors');
  const others = settingLists(settings, 'mirrors');
  return {
    insecureRegistries: settingStrings(settings, 'insecure-registries'),
    keepBlobs: settingBoolean(settings, 'keep-blobs') ?? true,
    mirrors: { ...others, 'docker.io': [...(others['docker.io'] ?? []), ...hub] },
  };
}

/** Who keeps an image from being removed. */
export interface ImageUser {
  /** Id of a container. */
  readonly container: string;
  readonly isRunning: boolean;
}

/** Users by image id; where there are several, one that runs. */
export type ImageUsers = ReadonlyMap<Digest, ImageUser>;
