import { readFileSync, statSync } from 'node:fs';
import type { NameTable } from '../name-directory.ts';
import type { ProcessConfig } from './protocol.ts';

/** The names of all networks, as they are now. */
export type ForeignNames = () => NameTable;

/** Reads the names' file, again whenever it has been replaced. Without one there are no names. */
export function foreignNames({ names: path }: Pick<ProcessConfig, 'names'>): ForeignNames {
  let version = '';
  let table: NameTable = {};
  return () => {
    try {
      const { ino, mtimeMs, size } = statSync(path);
      const now = `${ino} ${mtimeMs} ${size}`;
      if (now !== version) {
        table = JSON.parse(readFileSync(path, 'utf8')) as NameTable;
        version = now;
      }
    } catch {
      table = {};
      version = '';
    }
    return table;
  };
}
