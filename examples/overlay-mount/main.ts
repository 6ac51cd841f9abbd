/**
 * An overlay mount without kernel overlayfs, with the command line of fuse-overlayfs:
 *
 *     unshare -Urm overlay-mount -o lowerdir=A:B,upperdir=U,workdir=W DIR
 *
 * The process has to be able to mount: root in its user namespace, with a mount namespace of its own. As fuse-overlayfs it goes
 * to the background once the mount is there (`-f`: stays), and ends when DIR is unmounted.
 *
 * The upper layer has a form of its own (no device nodes, no extended attributes, any file system will do). An `upperdir` that
 * another overlay wrote becomes the topmost lower directory, and what is changed from then on goes to `workdir`.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, readdirSync, rmSync, writeSync } from 'node:fs';
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
  const { owner, timeout, quota, uids, gids, writeback } = options;
  const isForeign = options.upper !== undefined && options.work !== undefined && isOfAnotherOverlay(options.upper);
  const lowerDirs = isForeign ? [options.upper, ...options.lower] : options.lower;
  const upperDir = (isForeign ? options.work : options.upper) ?? mkdtempSync(join(tmpdir(), 'overlay-mount-'));
  try {
    const merged = lowerDirs.length === 1 ? new DirectoryLayer(lowerDirs[0]!) : new MergedLower(lowerDirs);
    const lower = uids.length + gids.length > 0 ? new MappedLower(merged, uids, gids) : merged;
    const fs = openUnion({
      ...{ lower, upperDir, quota, writeback },
      ...(owner && { owner }),
      ...(timeout !== undefined && { lowerTimeout: timeout }),
    });
    const fd = mountFuse(options.target, { name: 'overlay-mount', readOnly: options.upper === undefined });
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
    if (options.upper === undefined) rmSync(upperDir, { recursive: true, force: true });
  }
}

function isOfAnotherOverlay(upper: string): boolean {
  return !existsSync(join(upper, 'journal')) && existsSync(upper) && readdirSync(upper).length > 0;
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
