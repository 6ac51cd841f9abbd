/**
 * What the bench's rows work on, made in its work directory:
 *
 *     source/            the tree that all columns show: a copy of the one given, and in it
 *       bench.large      a large file
 *       bench.true       a program
 *       bench.git/       a checkout (of files of that tree)
 *       bench.c/         a small C project
 *       bench.packages/  Debian packages, where the tree is a Debian root file system and some are given
 *     packages           their names
 *     10k.tar            10,000 small files in 100 directories
 *     npm/, npm-cache/   a project to install and all that it needs
 */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

export interface FixtureOptions {
  /** The tree. */
  readonly source: string;
  /** MiB of the large file. */
  readonly large: number;
  /** Folder of Debian packages, all that `install` needs. */
  readonly packages: string | undefined;
  /** Names of the packages to install, with spaces between. */
  readonly install: string;
  /** Folder of a project with package.json and package-lock.json. */
  readonly npm: string | undefined;
}

/** Returns the tree. */
export function makeFixtures(work: string, options: FixtureOptions): string {
  const source = join(work, 'source');
  copyTree(options.source, source);
  copyFileSync('/bin/true', join(source, 'bench.true'));
  writeLarge(join(source, 'bench.large'), options.large);
  makeCheckout(source);
  makeArchive(work);
  if (options.packages !== undefined) {
    cpSync(options.packages, join(source, 'bench.packages'), { recursive: true });
    writeFileSync(join(work, 'packages'), options.install);
    makeProject(join(source, 'bench.c'));
  }
  if (options.npm !== undefined) fillNpmCache(work, options.npm);
  return source;
}

/** Without what other file systems are mounted on: device nodes can't be made here, and are of no use to any row. */
function copyTree(from: string, to: string): void {
  mkdirSync(to);
  const empty = ['dev', 'proc', 'sys'];
  const script = `tar -C "$0" ${empty.map((name) => `--exclude='./${name}/*'`).join(' ')} -cf - . | tar -C "$1" --no-same-owner -xf -`;
  execFileSync('sh', ['-c', script, from, to], { stdio: 'inherit' });
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

function makeCheckout(source: string): void {
  const root = join(source, 'bench.git');
  for (let index = 0; index < 4000; index++) {
    const folder = join(root, `part${index % 20}`, `folder${index % 200}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `file${index}.c`), `int value${index};\n`.repeat(1 + (index % 60)));
  }
  const identity = ['-c', 'user.name=bench', '-c', 'user.email=bench@example.com', '-c', 'commit.gpgsign=false'];
  for (const argv of [
    ['init', '-q'],
    ['add', '.'],
    [...identity, 'commit', '-qm', 'bench'],
  ]) {
    execFileSync('git', ['-C', root, ...argv]);
  }
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

function makeProject(root: string): void {
  mkdirSync(root);
  const objects: string[] = [];
  for (let index = 0; index < 40; index++) {
    const headers = ['stdio', 'stdlib', 'string', 'math', 'signal', 'sys/socket'].map(
      (name) => `#include <${name}.h>\n`,
    );
    writeFileSync(
      join(root, `part${index}.c`),
      `${headers.join('')}int part${index}(void) { return printf("${index}"); }\n`,
    );
    objects.push(`part${index}.o`);
  }
  const main = objects.map((_, index) => `int part${index}(void);\n`).join('');
  const calls = objects.map((_, index) => `part${index}();`).join(' ');
  writeFileSync(join(root, 'main.c'), `${main}int main(void) { ${calls} return 0; }\n`);
  writeFileSync(
    join(root, 'Makefile'),
    `program: main.o ${objects.join(' ')}\n\tgcc -o $@ $^\n%.o: %.c\n\tgcc -c -o $@ $<\n`,
  );
}

function fillNpmCache(work: string, project: string): void {
  const target = join(work, 'npm');
  mkdirSync(target);
  for (const name of readdirSync(project)) {
    if (name === 'package.json' || name === 'package-lock.json') copyFileSync(join(project, name), join(target, name));
  }
  const argv = ['ci', `--cache=${join(work, 'npm-cache')}`, '--ignore-scripts', '--no-audit', '--no-fund', '--silent'];
  execFileSync('npm', argv, { cwd: target, stdio: 'inherit' });
  rmSync(join(target, 'node_modules'), { recursive: true });
}
