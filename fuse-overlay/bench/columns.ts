/** What is compared: each column puts the same tree on a directory in its own way. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';

export interface Column {
  readonly name: string;
  readonly writable: boolean;
  /** Makes the tree appear on `mountpoint`, fresh; `scratch` is an empty directory of the column's own. */
  mount(mountpoint: string, scratch: string): Promise<string>;
  unmount(mountpoint: string): void;
  /** CPU seconds that its server has used so far. */
  serverCpu(): number;
}

export class MountServer {
  readonly #process: ChildProcess;

  constructor() {
    const argv = [join(import.meta.dirname, 'mount-server.ts')];
    const profile = process.env['PROFILE'] ? ['--cpu-prof', `--cpu-prof-dir=${process.env['PROFILE']}`] : [];
    this.#process = spawn(process.execPath, [...profile, ...argv], { stdio: ['pipe', 'pipe', 'inherit'] });
  }

  /** `direct`: from how many bytes on files lead an overlay to the store; 0: none. */
  async mount(index: string, files: string, mountpoint: string, direct = 0): Promise<void> {
    this.#process.stdin!.write(`${index} ${files} ${mountpoint} ${direct}\n`);
    await once(this.#process.stdout!, 'data');
  }

  get cpu(): number {
    return cpuSeconds(this.#process.pid!);
  }

  end(): void {
    this.#process.stdin!.end();
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

export function columns(
  source: string,
  tree: { index: string; files: string },
  server: MountServer,
  direct: number,
): Column[] {
  function overlayOnTree(name: string, from: number): Column {
    return {
      name,
      writable: true,
      async mount(mountpoint, scratch) {
        const below = `${mountpoint}.tree`;
        mkdirSync(below, { recursive: true });
        await server.mount(tree.index, tree.files, below, from);
        mountOverlay(from > 0 ? `${below}::${tree.files}` : below, mountpoint, scratch);
        return mountpoint;
      },
      unmount(mountpoint) {
        unmount(mountpoint);
        unmount(`${mountpoint}.tree`);
      },
      serverCpu: () => server.cpu,
    };
  }
  return [
    {
      name: 'bare',
      writable: false,
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
        await server.mount(tree.index, tree.files, mountpoint);
        return mountpoint;
      },
      unmount,
      serverCpu: () => server.cpu,
    },
    overlayOnTree('overlay on tree', 0),
    overlayOnTree('direct', direct),
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
    unmount(mountpoint) {
      unmount(mountpoint);
    },
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
