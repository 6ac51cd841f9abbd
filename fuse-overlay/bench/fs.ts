/**
 * Compares trun's file systems with the bare directory, kernel overlayfs and fuse-overlayfs, on the same tree:
 *
 *   npm run bench:fs -- [--source DIR] [--rounds 5] [--large MIB] [--columns a,b] [--rows a,b] [--out FILE.md]
 *                       [--packages DIR --install 'gcc make'] [--npm DIR]
 *
 * `--rows` and `--columns` take parts of names. As an ordinary user. Before `cold` rows root drops all caches of the
 * machine, anybody else the tree's contents from the page cache (on tmpfs: nothing). Some rows need what is given (fixtures.ts): Debian packages and a tree that is a Debian root file
 * system, a project for `npm ci`. The work directory is made in TMPDIR.
 *
 * Columns are interleaved, round by round; the servers are processes that live as long as the bench. The table says the medians
 * of wall seconds, in parentheses CPU seconds of client and server together; `--out` writes it into a page, too (docs/file-system-bench.md).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packDirectory } from '../test/support/pack-directory.ts';
import { MountServer, columns, emptyDirectory, type Column } from './columns.ts';
import { dropCached } from '../src/sys/io.ts';
import { makeFixtures } from './fixtures.ts';
import { table, type Sample } from './report.ts';
import { rows, type Row } from './rows.ts';
import { bundle } from './server-process.ts';

const { values } = parseArgs({
  options: {
    source: { type: 'string', default: '/usr/share' },
    rounds: { type: 'string', default: '5' },
    large: { type: 'string', default: '256' },
    direct: { type: 'string', default: '131072' },
    packages: { type: 'string' },
    install: { type: 'string', default: 'gcc libc6-dev make' },
    npm: { type: 'string' },
    columns: { type: 'string' },
    rows: { type: 'string' },
    out: { type: 'string' },
    inside: { type: 'boolean', default: false },
  },
});

const allCaches = '/proc/sys/vm/drop_caches';
/** Of the machine, not only in the user namespace. */
const isRoot = isWritable(allCaches);

if (values.inside) await main();
else {
  const argv = ['-Urm', process.execPath, ...process.execArgv, ...process.argv.slice(1), '--inside'];
  process.exitCode = spawnSync('unshare', argv, { stdio: 'inherit' }).status ?? 1;
}

async function main(): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'fuse-overlay-bench-'));
  const profile = process.env['PROFILE'];
  const program = bundle('mount-server.ts', join(work, 'server.cjs'));
  const servers = { images: new MountServer(program, profile), writable: new MountServer(program, profile) };
  try {
    const source = makeFixtures(work, {
      ...values,
      large: Number(values.large),
      packages: values.packages,
      npm: values.npm,
    });
    const tree = packDirectory(source, join(work, 'packed'), { owner: { uid: 0, gid: 0 } });
    const shownColumns = columns(source, tree, servers, Number(values.direct)).filter(({ name, extra }) =>
      values.columns === undefined ? !extra : wanted(values.columns, name),
    );
    const shownRows = rows.filter((row) => wanted(values.rows, row.name) && canRun(row, work));
    const names = shownColumns.map(({ name }) => name);
    let text = '';
    for await (const samples of measure(shownColumns, shownRows, work)) {
      const [images, writable] = [servers.images, servers.writable].map(({ memory }) => memory.toFixed(1));
      text =
        `${table(shownRows, names, samples)}\n` +
        `Private memory after that: image server ${images} MB, server of writable layers ${writable} MB.\n`;
      // After each round, for one may get tired of waiting for the last.
      if (values.out !== undefined) writeTable(values.out, text);
    }
    process.stdout.write(text);
  } finally {
    for (const server of Object.values(servers)) server.end();
    emptyDirectory(work);
    rmSync(work, { recursive: true });
  }
}

/** Puts the table behind the mark in a page, or makes a page of it alone. */
function writeTable(path: string, text: string): void {
  const mark = '<!-- The bench writes what follows. -->\n';
  const page = existsSync(path) ? readFileSync(path, 'utf8') : mark;
  writeFileSync(path, `${page.slice(0, page.indexOf(mark) + mark.length)}\n${text}`);
}

function wanted(list: string | undefined, name: string): boolean {
  return list === undefined || list.split(',').some((part) => name.includes(part));
}

function canRun(row: Row, work: string): boolean {
  if (row.needs !== undefined && !existsSync(join(work, row.needs))) return leftOut(row, `there is no ${row.needs}`);
  return row.needsRoot && !isRoot ? leftOut(row, 'only root drops names and attributes from the caches') : true;
}

function leftOut(row: Row, reason: string): false {
  process.stderr.write(`${row.name}: left out, ${reason}\n`);
  return false;
}

/** Yields what has been measured so far after each round. */
async function* measure(
  shownColumns: readonly Column[],
  shownRows: readonly Row[],
  work: string,
): AsyncGenerator<Map<string, Map<string, Sample[]>>> {
  const samples = new Map(shownRows.map(({ name }) => [name, new Map<string, Sample[]>()]));
  for (let round = 0; round <= Number(values.rounds); round++) {
    for (const column of shownColumns) {
      const results = await runColumn(column, shownRows, work);
      // Round 0 warms the page cache of the source and the servers.
      for (const [row, sample] of round === 0 ? [] : results) {
        const cells = samples.get(row.name)!;
        cells.set(column.name, [...(cells.get(column.name) ?? []), sample]);
      }
    }
    process.stderr.write(`round ${round} of ${values.rounds} done\n`);
    if (round > 0) yield samples;
  }
}

async function runColumn(column: Column, shownRows: readonly Row[], work: string): Promise<[Row, Sample][]> {
  const mountpoint = join(work, 'mnt');
  const results: [Row, Sample][] = [];
  let at: string | undefined;
  for (const row of shownRows) {
    if (row.writes && (column.writable === false || (column.writable === 'elsewhere' && row.writes !== 'elsewhere')))
      continue;
    if (row.state !== undefined || at === undefined) {
      if (at !== undefined) column.unmount(mountpoint);
      mkdirSync(mountpoint, { recursive: true });
      at = await column.mount(mountpoint, emptyDirectory(join(work, 'scratch')));
    }
    const target = column.writable === 'elsewhere' && row.writes ? join(work, 'scratch') : at;
    if (row.before) run(row.before, target, work);
    if (row.state === 'cold') dropCaches(work);
    const serverBefore = column.serverCpu();
    const sample = run(row.script, target, work);
    sample.server = column.serverCpu() - serverBefore;
    results.push([row, sample]);
  }
  if (at !== undefined) column.unmount(mountpoint);
  return results;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function dropCaches(work: string): void {
  spawnSync('sync', ['--file-system', work]);
  if (isRoot) {
    writeFileSync(allCaches, '3');
    return;
  }
  const argv = [join(work, 'source'), join(work, 'packed'), '-type', 'f', '-print0'];
  for (const path of execFileSync('find', argv, { encoding: 'utf8', maxBuffer: 1 << 28 })
    .split('\0')
    .filter(Boolean)) {
    const fd = openSync(path, 'r');
    dropCached(fd);
    closeSync(fd);
  }
}

function run(script: string, mountpoint: string, work: string): Sample {
  const env = { ...process.env, M: mountpoint, W: work };
  const began = performance.now();
  const argv = ['-c', `{ ${script}; } ; r=$?; times; exit $r`];
  const { status, stdout, stderr } = spawnSync('sh', argv, { env, encoding: 'utf8' });
  const wall = (performance.now() - began) / 1000;
  if (status !== 0) throw new Error(`${script} on ${mountpoint} failed: ${stderr}`);
  return { wall, client: shellTimes(stdout), server: 0 };
}

/** CPU seconds in the output of the shell's `times`: user and system, of itself and of its children. */
function shellTimes(output: string): number {
  let sum = 0;
  for (const [, minutes, part] of output.matchAll(/(\d+)m([\d.]+)s/g)) sum += Number(minutes) * 60 + Number(part);
  return sum;
}
