/**
 * The allow-map: which room may import which (ARCHITECTURE.md draws it). A room is a folder right under a package's
 * `src`; a file right under it (main.ts, index.ts) is a room of its own, named without its ending. An entry may narrow
 * a room to the files whose path starts with it: `agent/client` admits src/agent/client.ts and src/agent/client/…, and
 * nothing else of the agent. Every room may import itself.
 */

export interface Layers {
  /** The package's folder, relative to the repository. */
  readonly folder: string;
  /** Room -> what it may import of the same package. Absent: the package's rooms are free among themselves. */
  readonly rooms?: Readonly<Record<string, readonly string[]>>;
  /** Other workspace packages -> the rooms that may import them, by package name only. */
  readonly packages: Readonly<Record<string, readonly string[]>>;
  /** Rooms without input and output: no Node built-in but those in `pureBuiltins`. */
  readonly pure: readonly string[];
}

/** Built-ins that compute and do nothing else; of node:net, isIP is meant. */
export const pureBuiltins = ['node:assert', 'node:net', 'node:path', 'node:path/posix', 'node:util'];

/** The one room of each package that may call into the kernel through koffi. */
export const foreignFunctionRoom = 'sys';

const ground = ['state', 'sys', 'base'];

export const layers: readonly Layers[] = [
  {
    folder: '.',
    rooms: {
      main: ['cli'],
      index: ['engine', 'agent/client', 'base'],
      // What only reads (images, options) needs no agent and goes to its room directly.
      cli: ['agent/client', 'build', 'engine', 'image', 'oci', 'state', 'base'],
      // A build reads and writes images itself; the programs of its RUN instructions are the agent's to start.
      build: ['agent/client', 'engine', 'image', 'oci', 'storage', 'inside', 'holder', 'monitor', ...ground],
      agent: [
        'engine',
        'image',
        'storage',
        'network',
        'oci',
        'runtime',
        'image-server',
        'holder',
        'cgroup',
        'monitor',
        ...ground,
      ],
      engine: [
        'inside',
        'image',
        'storage',
        'network',
        'oci',
        'runtime',
        'image-server',
        'holder',
        'cgroup',
        'monitor',
        ...ground,
      ],
      // An OCI runtime for other engines: bundles, no images, no network, no agent.
      'oci-runtime': ['runtime', 'monitor', 'oci', 'cgroup', 'cli/flags', ...ground],
      runtime: ['monitor', 'oci', 'cgroup', ...ground],
      image: ['oci', ...ground],
      // A writable layer stands on a mount of the image server's, or is one.
      // What is written in it becomes a layer of an image, read off as root of the user's namespaces.
      storage: ['image', 'image-server', 'inside', 'holder', 'monitor', ...ground],
      // The hub namespace and /dev/net/tun are in the holder's keeping.
      network: ['holder', 'monitor', ...ground],
      // Its mounts are made and kept in the holder's namespaces.
      'image-server': ['holder', 'monitor', ...ground],
      holder: ['monitor', ...ground],
      // Works on files in the holder's namespaces.
      inside: ['holder', 'monitor', ...ground],
      cgroup: [...ground],
      monitor: ['sys', 'base'],
      oci: ['base'],
      state: ['sys', 'base'],
      sys: ['base'],
      base: [],
    },
    packages: { 'fuse-overlay': ['build', 'image', 'storage', 'image-server'], netstack: ['network'] },
    pure: ['oci'],
  },
  { folder: 'fuse-overlay', packages: {}, pure: [] },
  { folder: 'netstack', packages: {}, pure: [] },
];
