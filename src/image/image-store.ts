import type { Digest } from './digest.ts';
import type { RegistryOptions } from './registry/registry-client.ts';
import { StoreLayout } from './store/layout.ts';
import { keepReserve } from './store/reserve.ts';
import { defaultUnpackLimits, type UnpackLimits } from './unpack/limits.ts';

export interface ImageStoreOptions {
  /** Hosts, `host:port` or CIDR ranges whose certificates don't count and that may speak plain http. Loopback always may. */
  readonly insecureRegistries?: readonly string[];
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
}

/** Opens the store at `root` (`<state>/images`), making it where there is none. Any number of processes may use it at once. */
export function openImageStore(root: string, options: ImageStoreOptions = {}): ImageStore {
  const layout = new StoreLayout(root);
  layout.create();
  keepReserve(layout);
  return { layout, limits: { ...defaultUnpackLimits, ...options.limits }, options, filesDir: layout.files };
}

/** Who keeps an image from being removed. */
export interface ImageUser {
  /** Id of a container. */
  readonly container: string;
  readonly isRunning: boolean;
}

/** Users by image id; where there are several, one that runs. */
export type ImageUsers = ReadonlyMap<Digest, ImageUser>;
