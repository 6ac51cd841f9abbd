/** What is compared: each column puts the same tree on a directory in its own way. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import type { MountRequest } from './mount-server.ts';
import { privateMemory, startServer } from './server-process.ts';

export interface Column {
  readonly name: string;
  /** Where it can be written: everywhere, or (the bare directory) in rows that need nothing of the tree. */
  readonly writable: boolean | 'elsewhere';
  /** Measured only when asked for by name. */
  readonly extra?: true;
  /** Makes the tree appear on `mountpoint`, fresh; `scratch` is an empty directory of the column's own. */
  mount(mountpoint: string, scratch: string): Promise<string>;
  unmount(mountpoint: string): void;
  /** CPU seconds that its server has used so far. */
  serverCpu(): number;
}

/** A process of mount-server.ts, bundled at `program`. `profile`: a folder for a CPU profile. */
export class MountServer {
  readonly #process: ReturnType<typeof startServer>;

  constructor(program: string, profile: string | undefined) {
    this.#process = startServer(program, [], profile);
  }

  async mount(request: MountRequest): Promise<void> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    await Promise.race([once(this.#process.stdout, 'data'), once(this.#process, 'exit')]);
    if (this.#process.exitCode !== null) throw new Error('the mount server died');
  }

  get cpu(): number {
    return cpuSeconds(this.#process.pid!);
  }

  get memory(): number {
    return privateMemory(this.#process.pid!);
  }

  end(): void {
    this.#process.stdin.end();
  }
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function mountOverlay(lower: string, mountpoint: string, scratch: string): void {
  for (const name of ['upper', 'work']) mkdirSync(join(scratch, name));
  const options = `userxattr,lowerdir=${lower},upperdir=${scratch}/upper,workdir=${scratch}/work`;
  execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options, mountpoint]);
}

function unmount(path: string): void {
  execFileSync('umount', [path]);
}

export interface Servers {
  readonly images: MountServer;
  readonly writable: MountServer;
}

/** `direct`: from how many bytes on files lead an overlay to the store, in the columns that have that. */
export function columns(
  source: string,
  tree: { index: string; files: string },
  { images, writable }: Servers,
  direct: number,
): Column[] {
  function kernelWritable(name: string, from?: number): Column {
    return {
      name,
      ...(from !== undefined && { extra: true }),
      writable: true,
      async mount(mountpoint, scratch) {
        const below = `${mountpoint}.tree`;
        mkdirSync(below, { recursive: true });
        await images.mount({ ...tree, mountpoint: below, ...(from !== undefined && { direct: from }) });
        mountOverlay(from === undefined ? below : `${below}::${tree.files}`, mountpoint, scratch);
        return mountpoint;
      },
      unmount(mountpoint) {
        unmount(mountpoint);
        unmount(`${mountpoint}.tree`);
      },
      serverCpu: () => images.cpu,
    };
  }
  function fuseWritable(name: string, writeback: boolean): Column {
    return {
      name,
      ...(writeback && { extra: true }),
      writable: true,
      async mount(mountpoint, scratch) {
        await writable.mount({ ...tree, mountpoint, upper: join(scratch, 'layer'), writeback });
        return mountpoint;
      },
      unmount,
      serverCpu: () => writable.cpu,
    };
  }
  return [
    {
      name: 'bare',
      writable: 'elsewhere',
      mount: () => Promise.resolve(source),
      unmount: () => undefined,
      serverCpu: noServer,
    },
    {
      name: 'kernel overlay',
      writable: true,
      mount(mountpoint, scratch) {
        mountOverlay(source, mountpoint, scratch);
        return Promise.resolve(mountpoint);
      },
      unmount,
      serverCpu: noServer,
    },
    ...(spawnSync('fuse-overlayfs', ['--version']).status === 0 ? [fuseOverlayfs(source)] : []),
    {
      name: 'image tree',
      writable: false,
      async mount(mountpoint) {
        await images.mount({ ...tree, mountpoint });
        return mountpoint;
      },
      unmount,
      serverCpu: () => images.cpu,
    },
    kernelWritable('kernel writable'),
    kernelWritable('kernel writable, direct', direct),
    fuseWritable('FUSE writable', false),
    fuseWritable('FUSE writable, writeback', true),
  ];
}

function fuseOverlayfs(source: string): Column {
  let pid = 0;
  return {
    name: 'fuse-overlayfs',
    writable: true,
    async mount(mountpoint, scratch) {
      for (const name of ['upper', 'work']) mkdirSync(join(scratch, name));
      const options = `lowerdir=${source},upperdir=${scratch}/upper,workdir=${scratch}/work`;
      const before = readFileSync('/proc/self/mountinfo', 'utf8');
      const child = spawn('fuse-overlayfs', ['-f', '-o', options, mountpoint], { stdio: 'inherit' });
      pid = child.pid!;
      while (readFileSync('/proc/self/mountinfo', 'utf8') === before) {
        if (child.exitCode !== null) throw new Error('fuse-overlayfs did not mount');
        await new Promise((done) => setTimeout(done, 5));
      }
      return mountpoint;
    },
    unmount,
    serverCpu: () => cpuSeconds(pid),
  };
}

function noServer(): number {
  return 0;
}

export function emptyDirectory(path: string): string {
  // A work directory of overlayfs has no permissions.
  spawnSync('chmod', ['-R', 'u+rwX', path], { stdio: 'ignore' });
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return path;
}
