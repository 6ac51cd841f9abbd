/** Reads what strace(1) wrote with `-f -y -e trace=file,clone,clone3,fork,vfork,setns,unshare`. */
import { isAbsolute, normalize } from 'node:path';

/** System call -> which of its arguments are paths that it changes, each with the one that names its folder. */
const changes: Readonly<Record<string, readonly (readonly [folder: number | undefined, path: number])[]>> = {
  creat: [[undefined, 0]],
  mkdir: [[undefined, 0]],
  mkdirat: [[0, 1]],
  rmdir: [[undefined, 0]],
  unlink: [[undefined, 0]],
  unlinkat: [[0, 1]],
  rename: [
    [undefined, 0],
    [undefined, 1],
  ],
  renameat: [
    [0, 1],
    [2, 3],
  ],
  renameat2: [
    [0, 1],
    [2, 3],
  ],
  link: [[undefined, 1]],
  linkat: [[2, 3]],
  symlink: [[undefined, 1]],
  symlinkat: [[1, 2]],
  chmod: [[undefined, 0]],
  fchmodat: [[0, 1]],
  chown: [[undefined, 0]],
  lchown: [[undefined, 0]],
  fchownat: [[0, 1]],
  truncate: [[undefined, 0]],
  mknod: [[undefined, 0]],
  mknodat: [[0, 1]],
  utimensat: [[0, 1]],
  setxattr: [[undefined, 0]],
  lsetxattr: [[undefined, 0]],
};

/** What writing to is no write on disk: devices and the kernel's own files. */
const harmless = [
  /^\/dev\/(null|zero|tty|ptmx|fuse|full|net\/tun)$/,
  /^\/dev\/pts(\/|$)/,
  /^\/proc\//,
  /^\/sys\/fs\/cgroup\//,
];

/** Splits a call's arguments at the commas that are outside of strings and brackets. */
function splitArguments(text: string): string[] {
  const found = [''];
  let depth = 0;
  let isString = false;
  for (let index = 0; index < text.length; index++) {
    const letter = text[index]!;
    if (isString && letter === '\\') found.push(found.pop()! + letter + text[++index]!);
    else {
      if (letter === '"') isString = !isString;
      if (!isString && '{[(<'.includes(letter)) depth++;
      if (!isString && '}])>'.includes(letter)) depth--;
      if (letter === ',' && depth === 0 && !isString) found.push('');
      else found.push(found.pop()! + letter);
    }
  }
  return found.map((each) => each.trim());
}

function pathOf(args: readonly string[], folder: number | undefined, path: number): string {
  const name = /^"(.*)"/.exec(args[path] ?? '')?.[1] ?? '';
  if (isAbsolute(name) || folder === undefined) return normalize(name);
  // `-y` adds the path of a descriptor: `5</home/x>`, `AT_FDCWD</home/x>`. No name means the descriptor's own file.
  const base = /<(.*)>/.exec(args[folder] ?? '')?.[1] ?? '?';
  return normalize(name === '' ? base : `${base}/${name}`);
}

function changedPaths(call: string, args: readonly string[]): string[] {
  const isOpen = call === 'open' || call === 'openat';
  if (isOpen) {
    const flags = args[call === 'open' ? 1 : 2] ?? '';
    return /O_(WRONLY|RDWR|CREAT|TRUNC)/.test(flags)
      ? [pathOf(args, call === 'open' ? undefined : 0, call === 'open' ? 0 : 1)]
      : [];
  }
  return (changes[call] ?? []).map(([folder, path]) => pathOf(args, folder, path));
}

/** Puts calls together that strace has split since another process was heard in between. */
function wholeLines(lines: readonly string[]): string[] {
  const begun = new Map<string, string>();
  return lines.flatMap((line) => {
    const [, pid, start] = /^(\d+)\s+(.*) <unfinished \.\.\.>$/.exec(line) ?? [];
    if (pid !== undefined) {
      begun.set(pid, start!);
      return [];
    }
    const [, same, rest] = /^(\d+)\s+<\.\.\. \w+ resumed>(.*)$/.exec(line) ?? [];
    return same === undefined ? [line] : [`${same} ${begun.get(same) ?? ''}${rest!}`];
  });
}

/**
 * The successful writes outside of `folders`, one line each. A process that has entered a mount namespace of its own
 * sees other files under these names, and so do its descendants: they are passed over.
 */
export function outsideWrites(lines: readonly string[], folders: readonly string[]): string[] {
  const inside = new Set<string>();
  const found: string[] = [];
  for (const line of wholeLines(lines)) {
    const [, pid, call, rest] = /^(\d+)\s+(\w+)\((.*)$/.exec(line) ?? [];
    if (pid === undefined || call === undefined || rest === undefined) continue;
    const [, text, result] = /^(.*)\)\s+= (-?\d+)/.exec(rest) ?? [];
    if (/^(clone|clone3|fork|vfork)$/.test(call)) {
      const isNew = inside.has(pid) || rest.includes('CLONE_NEWNS');
      if (isNew && result !== undefined) inside.add(result);
      continue;
    }
    if (/^(setns|unshare)$/.test(call)) {
      if (rest.includes('CLONE_NEWNS')) inside.add(pid);
      continue;
    }
    if (inside.has(pid) || text === undefined || Number(result) < 0) continue;
    for (const path of changedPaths(call, splitArguments(text))) {
      const isFine = folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
      if (!isFine && !harmless.some((pattern) => pattern.test(path))) found.push(`${call} ${path}`);
    }
  }
  return [...new Set(found)];
}
