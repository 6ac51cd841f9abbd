/**
 * An overlay mount without kernel overlayfs, with the command line of fuse-overlayfs:
 *
 *     unshare -Urm overlay-mount -o lowerdir=A:B,upperdir=U,workdir=W DIR
 *
 * The process has to be able to mount: root in its user namespace, with a mount namespace of its own. As fuse-overlayfs it goes
 * to the background once the mount is there (`-f`: stays), and ends when DIR is unmounted.
 *
 * With a `workdir` the upper directory is a tree as overlayfs and fuse-overlayfs have it, and may have been written by one of
 * them. Without it has a form of its own: no device nodes, no extended attributes, any file system will do.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DirectoryLayer,
  EventLoop,
  formatTrace,
  MergedLower,
  mountFuse,
  openUnion,
  serve,
  type TraceRecord,
} from 'fuse-overlay';
import { MappedLower } from './mapped-lower.ts';
import { parseArguments, UsageError, type OverlayMountOptions } from './options.ts';

/** Set for the process in the background: it reports on descriptor 3 that the mount is there. */
const marker = 'OVERLAY_MOUNT_SERVER';

function main(): void {
  let options: OverlayMountOptions;
  try {
    options = parseArguments(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`overlay-mount: ${error.message}\n`);
    process.exitCode = 1;
    return;
  }
  if (!options.foreground && process.env[marker] === undefined) startInBackground();
  else serveMount(options);
}

function serveMount(options: OverlayMountOptions): void {
  const { owner, timeout, quota, uids, gids, writeback, upper, work, staticLinks } = options;
  const isTree = upper !== undefined && work !== undefined && !existsSync(join(upper, 'journal'));
  // What a tree is the lasting form of needs a store while it is mounted.
  const upperDir = isTree ? join(work, 'store') : (upper ?? mkdtempSync(join(tmpdir(), 'overlay-mount-')));
  try {
    const merged = options.lower.length === 1 ? new DirectoryLayer(options.lower[0]!) : new MergedLower(options.lower);
    const isChanged = staticLinks || uids.length + gids.length > 0;
    const lower = isChanged ? new MappedLower(merged, { uids, gids, staticLinks }) : merged;
    const fs = openUnion({
      ...{ lower, upperDir, quota, writeback },
      ...(owner && { owner }),
      ...(timeout !== undefined && { lowerTimeout: timeout }),
      ...(isTree && { tree: upper }),
    });
    // What a file system has no method for is answered with ENOSYS, of which the kernel makes ENOTSUP.
    const none = { getxattr: undefined, setxattr: undefined, listxattr: undefined, removexattr: undefined };
    if (options.noXattrs) Object.assign(fs, none);
    const fd = mountFuse(options.target, { name: 'overlay-mount', readOnly: upper === undefined });
    const loop = new EventLoop();
    serve(loop, fd, fs, {
      ...(options.debug && { trace }),
      onClose: () => {
        fs.close();
        loop.stop();
      },
    });
    if (process.env[marker] !== undefined) {
      writeSync(3, 'mounted');
      closeSync(3);
    }
    loop.run();
  } catch (error) {
    process.stderr.write(`overlay-mount: ${(error as Error).message}\n`);
    process.exitCode = 1;
  } finally {
    if (upper === undefined) rmSync(upperDir, { recursive: true, force: true });
  }
}

function trace(record: TraceRecord): void {
  process.stderr.write(`${formatTrace(record)}\n`);
}

function startInBackground(): void {
  const server = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    env: { ...process.env, [marker]: '1' },
  });
  server.on('exit', (code) => (process.exitCode = code ?? 1));
  server.stdio[3]!.on('data', () => {
    process.exitCode = 0;
    server.unref();
    process.exit();
  });
}

main();
