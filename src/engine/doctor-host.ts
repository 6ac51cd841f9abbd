import { accessSync, constants, readFileSync, statfsSync } from 'node:fs';
import { release, userInfo } from 'node:os';
import { errorCode } from '../base/error-code.ts';

/** The host as `doctor` sees it; tests bring their own. */
export interface Host {
  /** As uname(2) gives it: `6.1.0-18-amd64`. */
  readonly release: string;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly gid: number;
  readonly userName: string;
  /** The trimmed text of a file; undefined where it cannot be read. */
  read(path: string): string | undefined;
  /** Whether this user may read and write the file; why not. */
  access(path: string): 'granted' | 'denied' | 'absent';
  /** The type of the file system that a path lies on: f_type of statfs(2). */
  fileSystem(path: string): number;
}

export const thisHost: Host = {
  release: release(),
  env: process.env,
  gid: process.getgid!(),
  get userName() {
    return userInfo().username;
  },
  read(path) {
    try {
      return readFileSync(path, 'utf8').trim();
    } catch {
      return undefined;
    }
  },
  access(path) {
    try {
      accessSync(path, constants.R_OK | constants.W_OK);
      return 'granted';
    } catch (error) {
      return errorCode(error) === 'ENOENT' ? 'absent' : 'denied';
    }
  },
  fileSystem: (path) => statfsSync(path).type,
};
