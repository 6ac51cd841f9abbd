import { InvalidInput } from '../invalid-input.ts';
import { checkTarget } from './volume.ts';

export interface TmpfsMount {
  type: 'tmpfs';
  target: string;
  /** As mount(8) takes them, Docker's defaults first. */
  options: string[];
}

/** What keeps programs of the container from being surprised by a file system that they did not make. */
export const TMPFS_DEFAULTS: readonly string[] = ['noexec', 'nosuid', 'nodev'];

/** Flags and data of a tmpfs that Docker lets the user set. */
const FLAGS =
  /^(?:no)?(?:exec|suid|dev|atime|diratime|relatime|strictatime)$|^(?:ro|rw|a?sync|dirsync|r?private|r?slave|r?shared|r?unbindable|defaults)$/;
const DATA =
  /^(?:size|nr_blocks)=\d+[kmg%]?$|^nr_inodes=\d+[kmg]?$|^mode=[0-7]{1,4}$|^(?:uid|gid)=\d+$|^mpol=[a-z0-9:=,-]+$/i;

/** Reads `--tmpfs TARGET[:OPTION,…]`, as `/run:size=64m,mode=1777`. */
export function parseTmpfs(text: string): TmpfsMount {
  const colon = text.indexOf(':');
  const target = colon < 0 ? text : text.slice(0, colon);
  const options =
    colon < 0
      ? []
      : text
          .slice(colon + 1)
          .split(',')
          .filter((option) => option !== '');
  for (const option of options) {
    if (!FLAGS.test(option) && !DATA.test(option)) throw new InvalidInput(`invalid tmpfs option "${option}"`);
  }
  return { type: 'tmpfs', target: checkTarget(target, 'tmpfs'), options: [...TMPFS_DEFAULTS, ...options] };
}
