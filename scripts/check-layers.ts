/**
 * The layer rule as a build error: reads the imports of every source file and compares them with the allow-map in
 * layers.ts. Prints one line per violation, `file:line: what may not import what`, and exits with 1 if there is any.
 *
 * Tests may import what they like, so that a contract's test can run against every implementation.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import ts from 'typescript';
import { type Layers, foreignFunctionRoom, layers, pureBuiltins } from './layers.ts';

interface Violation {
  /** Relative to the repository. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** `src/engine/run.ts` -> `engine`, `src/main.ts` -> `main`. `path` is relative to the package's src. */
function roomOf(path: string): string {
  const slash = path.indexOf('/');
  return slash < 0 ? path.replace(/\.[^.]*$/, '') : path.slice(0, slash);
}

/** Static, dynamic, type-only and re-exporting imports and `require`, as the compiler's own scanner finds them. */
function importsOf(text: string): Import[] {
  const found = ts.preProcessFile(text, true, true).importedFiles;
  return found.map(({ fileName, pos }) => ({ specifier: fileName, line: lineAt(text, pos) }));
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** Whether `path` (relative to src) is within `allowed`: a room, or the files of a room that start with a prefix. */
function admits(allowed: string, path: string): boolean {
  if (!allowed.includes('/')) return roomOf(path) === allowed;
  return path.startsWith(allowed) && /^[./-]/.test(path.slice(allowed.length));
}

function isForeignFunction(specifier: string): boolean {
  return /^(koffi|@koromix)(\/|$)/.test(specifier);
}

/**
 * What is wrong with one import, or undefined.
 * @param file the importing file, relative to the package's folder, as in `src/engine/run.ts`
 * @param packages the names of all workspace packages
 */
function judge(rules: Layers, file: string, specifier: string, packages: readonly string[]): string | undefined {
  const room = roomOf(relative('src', file));
  if (specifier.startsWith('.')) return judgeRelative(rules, room, file, specifier);
  if (isForeignFunction(specifier)) {
    return room === foreignFunctionRoom ? undefined : `koffi belongs to ${foreignFunctionRoom}/ alone, not to ${room}`;
  }
  if (specifier.startsWith('node:')) {
    const clean = !rules.pure.includes(room) || pureBuiltins.includes(specifier);
    return clean ? undefined : `${room} is pure and may not import ${specifier}`;
  }
  const name = packages.find((each) => specifier === each || specifier.startsWith(`${each}/`));
  if (name === undefined) return undefined;
  if (specifier !== name) return `${name} is imported by its name alone, not as ${specifier}`;
  const rooms = rules.packages[name] ?? [];
  if (rooms.includes(room)) return undefined;
  const importer = rules.folder === '.' ? room : rules.folder;
  return `${importer} may not import ${name}` + (rooms.length > 0 ? ` (only ${rooms.join(', ')} may)` : '');
}

function judgeRelative(rules: Layers, room: string, file: string, specifier: string): string | undefined {
  const target = normalize(join(dirname(file), specifier));
  // The package's own description, for its version.
  if (target === 'package.json') return undefined;
  const path = relative('src', target);
  if (path.startsWith('..')) return `${room} may not reach outside its package (${specifier})`;
  if (rules.rooms === undefined || roomOf(path) === room) return undefined;
  const allowed = rules.rooms[room];
  if (allowed === undefined) return `the room ${room} is not in scripts/layers.ts`;
  if (allowed.some((each) => admits(each, path))) return undefined;
  const part = allowed.find((each) => each.startsWith(`${roomOf(path)}/`));
  return `${room} may not import ${roomOf(path)}` + (part === undefined ? ` (${specifier})` : ` beyond ${part}`);
}

/** koffi's addon may also be loaded by path, which no import shows: its name as a string counts as well. */
function foreignFunctionNames(text: string): Import[] {
  return [...text.matchAll(/(['"])((?:koffi|@koromix)(?:\/[^'"]*)?)\1/g)].map((match) => ({
    specifier: match[2]!,
    line: lineAt(text, match.index),
  }));
}

/** @param text the source; @param file its path, relative to the package's folder */
export function checkFile(rules: Layers, file: string, text: string, packages: readonly string[]): Violation[] {
  const imports = importsOf(text);
  const lines = new Set(imports.map(({ line }) => line));
  const hidden = foreignFunctionNames(text).filter(({ line }) => !lines.has(line));
  return [...imports, ...hidden].flatMap(({ specifier, line }) => {
    const message = judge(rules, file, specifier, packages);
    return message === undefined ? [] : [{ file: normalize(join(rules.folder, file)), line, message }];
  });
}

/** Checks every source file below `root`, the repository. */
export function checkLayers(root: string, all: readonly Layers[] = layers): Violation[] {
  const packages = all.map(({ folder }) => folder).filter((folder) => folder !== '.');
  return all.flatMap((rules) =>
    globSync('src/**/*.ts', { cwd: join(root, rules.folder) })
      .filter((file) => !file.endsWith('.test.ts'))
      .sort()
      .flatMap((file) => checkFile(rules, file, readFileSync(join(root, rules.folder, file), 'utf8'), packages)),
  );
}

if (import.meta.main) {
  const violations = checkLayers(join(import.meta.dirname, '..'));
  for (const { file, line, message } of violations) console.error(`${file}:${line}: ${message}`);
  if (violations.length > 0) process.exitCode = 1;
}
