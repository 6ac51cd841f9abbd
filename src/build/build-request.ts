/** Everything that `trun build` says about a build, parsed. */
import type { Platform } from '../image/platform.ts';
import type { Reference } from '../image/reference.ts';
import type { Rlimit } from '../oci/runtime-spec.ts';

/** Where a secret comes from. */
export type SecretSource =
  { readonly kind: 'file'; readonly path: string } | { readonly kind: 'variable'; readonly name: string };

/** An agent's socket, or files with private keys. */
export type SshSource =
  { readonly kind: 'socket'; readonly path: string } | { readonly kind: 'keys'; readonly paths: readonly string[] };

export type Output =
  | {
      readonly type: 'image';
      readonly names: readonly Reference[];
      readonly push: boolean;
      readonly annotations: Readonly<Record<string, string>>;
    }
  /** `dest`: a path, or '-' for standard output. */
  | { readonly type: 'local' | 'tar' | 'oci' | 'docker'; readonly dest: string; readonly names: readonly Reference[] }
  | { readonly type: 'cacheonly' };

export interface CacheLocation {
  readonly type: 'local' | 'registry' | 'inline';
  /** A folder, or a reference. */
  readonly place: string;
  readonly mode: 'min' | 'max';
}

export interface BuildRequest {
  /** A folder, a URL, or '-' for standard input. */
  readonly context: string;
  /** Of the Dockerfile: a path of the host, '-', or undefined for the context's own. */
  readonly file: string | undefined;
  readonly target: string | undefined;
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly labels: Readonly<Record<string, string>>;
  readonly noCache: boolean;
  /** Stages that use no cache. */
  readonly noCacheFilter: readonly string[];
  readonly pull: boolean;
  readonly secrets: ReadonlyMap<string, SecretSource>;
  readonly ssh: ReadonlyMap<string, SshSource>;
  readonly contexts: ReadonlyMap<string, string>;
  /** The first is what a single output is for. */
  readonly platforms: readonly Platform[];
  readonly outputs: readonly Output[];
  readonly rewriteTimestamp: boolean;
  readonly cacheFrom: readonly CacheLocation[];
  readonly cacheTo: readonly CacheLocation[];
  readonly extraHosts: readonly { readonly address: string; readonly names: readonly string[] }[];
  readonly network: 'default' | 'none' | 'host';
  readonly shmSize: number | undefined;
  readonly ulimits: readonly Rlimit[];
  /** Entitlements: `network.host`, `security.insecure`. */
  readonly allow: ReadonlySet<string>;
  /** Attestations, for outputs that can carry them. */
  readonly provenance: boolean;
  readonly sbom: boolean;
  /** SOURCE_DATE_EPOCH, in seconds. */
  readonly epoch: number | undefined;
}
