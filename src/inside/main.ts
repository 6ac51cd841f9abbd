/**
 * Work on a container's files, as root of the user's own namespaces: reads what belongs to any of the user's ids, and
 * writes it. Before it touches anything the process makes the container's root its own (chroot(2)), so whatever links
 * the container has laid lead nowhere else.
 *
 * argv: one JSON Task. pack writes a tar archive to stdout, unpack reads one from stdin, stat prints JSON.
 */
import { lstatSync, mkdirSync, readlinkSync, realpathSync, statSync, type Stats } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar';
import { enterRoot } from '../sys/chroot.ts';
import { packAs } from './pack.ts';
import type { FileStat, Task } from './task.ts';

const task = JSON.parse(process.argv[2]!) as Task;
enterRoot(task.root);

perform(task).catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(1);
});

async function perform(task: Task): Promise<void> {
  switch (task.operation) {
    case 'stat':
      process.stdout.write(JSON.stringify(describe(task.path) ?? null));
      return;
    case 'pack':
      return pipeline(packAs(task.follow ? realpathSync(task.path) : task.path, task.name, false), process.stdout);
    case 'unpack':
      mkdirSync(task.folder, { recursive: true });
      return pipeline(
        process.stdin,
        extract({
          cwd: realpathSync(task.folder),
          preserveOwner: task.keepOwner,
          chmod: true,
          processUmask: 0, // node-tar takes nothing to be inside of "/"; the chroot is the wall there.
          preservePaths: task.folder === '/',
        }),
      );
  }
}

function describe(path: string): FileStat | undefined {
  const own = lstatSync(path, { throwIfNoEntry: false });
  if (own === undefined) return undefined;
  const target = own.isSymbolicLink() ? statOrUndefined(path) : own;
  return {
    kind: kindOf(own),
    ...(own.isSymbolicLink() ? { link: readlinkSync(path) } : {}),
    ...(target === undefined ? {} : { targetKind: kindOf(target) }),
  };
}

function statOrUndefined(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined; // a loop of links
  }
}

function kindOf(stat: Stats): FileStat['kind'] {
  if (stat.isDirectory()) return 'folder';
  if (stat.isSymbolicLink()) return 'link';
  return stat.isFile() ? 'file' : 'other';
}
