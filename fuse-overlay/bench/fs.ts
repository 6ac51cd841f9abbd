/**
 * Compares the image tree, alone and under kernel overlayfs, with the bare directory, kernel overlayfs and fuse-overlayfs:
 *
 *   node --conditions=source fuse-overlay/bench/fs.ts --source DIR [--rounds 5] [--large MIB] [--columns a,b] [--rows a,b]
 *
 * as an ordinary user. Columns are interleaved; it prints medians of wall seconds, CPU seconds of client and server, and
 * ratios to kernel overlayfs and to fuse-overlayfs. The columns' server has served the tree before (a long-lived process).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, copyFileSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packDirectory } from '../test/support/pack-directory.ts';
import { MountServer, columns, emptyDirectory, type Column } from './columns.ts';
import { rows, type Row } from './rows.ts';

const { values } = parseArgs({
  options: {
    source: { type: 'string', default: '/usr/share' },
    rounds: { type: 'string', default: '5' },
    large: { type: 'string', default: '256' },
    columns: { type: 'string' },
    direct: { type: 'string', default: '131072' },
    rows: { type: 'string' },
    inside: { type: 'boolean', default: false },
  },
});

interface Sample {
  wall: number;
  client: number;
  server: number;
}

if (values.inside) await main();
else {
  const argv = ['-Urm', process.execPath, ...process.execArgv, ...process.argv.slice(1), '--inside'];
  process.exitCode = spawnSync('unshare', argv, { stdio: 'inherit' }).status ?? 1;
}

async function main(): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'fuse-overlay-bench-'));
  const source = join(work, 'source');
  execFileSync('cp', ['-dR', '--preserve=mode,timestamps,links', values.source, source], { stdio: 'inherit' });
  copyFileSync('/bin/true', join(source, 'bench.true'));
  writeLarge(join(source, 'bench.large'), Number(values.large));
  makeArchive(work);
  const tree = packDirectory(source, join(work, 'packed'), { owner: { uid: 0, gid: 0 } });
  const server = new MountServer();
  const wantedColumns = columns(source, tree, server, Number(values.direct)).filter(({ name }) =>
    wanted(values.columns, name),
  );
  const wantedRows = rows.filter(({ name }) => wanted(values.rows, name));
  const samples = new Map<string, Sample[]>();
  try {
    for (let round = 0; round <= Number(values.rounds); round++) {
      for (const column of wantedColumns) {
        const results = await runColumn(column, wantedRows, work);
        // Round 0 warms the page cache of the source and the server.
        for (const [row, sample] of round === 0 ? [] : results) {
          const key = `${row.name}/${column.name}`;
          samples.set(key, [...(samples.get(key) ?? []), sample]);
        }
      }
    }
  } finally {
    server.end();
    emptyDirectory(work);
    rmSync(work, { recursive: true });
  }
  print(wantedColumns, wantedRows, samples);
}

function wanted(list: string | undefined, name: string): boolean {
  return list === undefined || list.split(',').some((part) => name.includes(part));
}

async function runColumn(column: Column, wantedRows: readonly Row[], work: string): Promise<[Row, Sample][]> {
  const mountpoint = join(work, 'mnt');
  const results: [Row, Sample][] = [];
  let at: string | undefined;
  for (const row of wantedRows) {
    if (row.writes && !column.writable) continue;
    if (row.fresh || at === undefined) {
      if (at !== undefined) column.unmount(mountpoint);
      mkdirSync(mountpoint, { recursive: true });
      at = await column.mount(mountpoint, emptyDirectory(join(work, 'scratch')));
    }
    if (row.before) run(row.before, at, work);
    const serverBefore = column.serverCpu();
    const sample = run(row.script, at, work);
    sample.server = column.serverCpu() - serverBefore;
    results.push([row, sample]);
  }
  if (at !== undefined) column.unmount(mountpoint);
  return results;
}

function run(script: string, mountpoint: string, scratch: string): Sample {
  const env = { ...process.env, M: mountpoint, S: scratch };
  const began = performance.now();
  const { status, stdout, stderr } = spawnSync('sh', ['-c', `${script}; r=$?; times; exit $r`], {
    env,
    encoding: 'utf8',
  });
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

function writeLarge(path: string, mebibytes: number): void {
  const fd = openSync(path, 'w');
  const block = Buffer.alloc(1 << 20);
  for (let index = 0; index < mebibytes; index++) {
    block.fill(index & 0xff);
    writeSync(fd, block);
  }
  closeSync(fd);
}

/** 10,000 small files in 100 directories. */
function makeArchive(work: string): void {
  const root = join(work, '10k');
  for (let directory = 0; directory < 100; directory++) {
    mkdirSync(join(root, `d${directory}`), { recursive: true });
    for (let file = 0; file < 100; file++) {
      writeFileSync(join(root, `d${directory}`, `f${file}`), 'x'.repeat(100 + file * 40));
    }
  }
  execFileSync('tar', ['-C', work, '-cf', join(work, '10k.tar'), '10k']);
  rmSync(root, { recursive: true });
}

function median(values_: readonly number[]): number {
  const sorted = values_.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

function print(shown: readonly Column[], shownRows: readonly Row[], samples: ReadonlyMap<string, Sample[]>): void {
  const names = shown.map(({ name }) => name);
  function wall(row: Row, column: string): number {
    return median((samples.get(`${row.name}/${column}`) ?? []).map((sample) => sample.wall));
  }
  function cpu(row: Row, column: string): number {
    return median((samples.get(`${row.name}/${column}`) ?? []).map((sample) => sample.client + sample.server));
  }
  const header = [
    'row',
    ...names.flatMap((name) => [name, '(cpu)']),
    'tree/overlay',
    'on tree/overlay',
    'on tree/fuse-o',
  ];
  const lines = shownRows.map((row) => [
    row.name,
    ...names.flatMap((name) => [seconds(wall(row, name)), `(${seconds(cpu(row, name))})`]),
    ratio(wall(row, 'image tree'), wall(row, 'kernel overlay')),
    ratio(wall(row, 'overlay on tree'), wall(row, 'kernel overlay')),
    ratio(wall(row, 'overlay on tree'), wall(row, 'fuse-overlayfs')),
    ratio(wall(row, 'direct'), wall(row, 'kernel overlay')),
  ]);
  for (const line of [header, header.map(() => '---'), ...lines]) process.stdout.write(`| ${line.join(' | ')} |\n`);
}

function seconds(value: number): string {
  return Number.isNaN(value) ? '-' : value.toFixed(3);
}

function ratio(a: number, b: number): string {
  return Number.isNaN(a / b) ? '-' : (a / b).toFixed(2);
}
