/** `--storage-opt`: what keeps a container's changes, and how much of them. */
import type { ContainerRequest } from '../../engine/container.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { parseSize } from '../../oci/options/size.ts';
import { decodeFlag } from '../flags/parse-flags.ts';
import { CONTAINER_FLAGS } from './container-flags.ts';

type Storage = ContainerRequest['storage'];
type Draft = { -readonly [Key in keyof Storage]?: Storage[Key] };

/** Of `run` and `create`. */
export function storageOptions(values: readonly string[]): Storage {
  return { writable: 'auto', ...decodeAll(values, setOption) };
}

/** Of `update`: what is not named stays as it is; 0 is no limit. */
export function storageUpdate(values: readonly string[]): Omit<Storage, 'writable'> {
  return decodeAll(values, setQuota);
}

type Setter = (storage: Draft, key: string, value: string) => boolean;

function decodeAll(values: readonly string[], set: Setter): Partial<Storage> {
  const storage: Draft = {};
  for (const text of values) {
    decodeFlag(CONTAINER_FLAGS, 'storage-opt', text, (each) => {
      const [, key = '', value = ''] = /^([^=]+)=(.*)$/s.exec(each) ?? [];
      if (set(storage, key, value)) return;
      const known = set === setQuota ? 'size=… or inodes=…' : 'writable=…, size=… or inodes=…';
      throw new InvalidInput(`it has to be ${known}`);
    });
  }
  return storage;
}

/** False where the key is none of these. */
function setQuota(storage: Draft, key: string, value: string): boolean {
  if (key === 'size') storage.size = parseSize(value);
  else if (key !== 'inodes') return false;
  else if (/^\d{1,15}$/.test(value)) storage.inodes = Number(value);
  else throw new InvalidInput(`'${value}' is not a number of inodes`);
  return true;
}

function setOption(storage: Draft, key: string, value: string): boolean {
  if (key !== 'writable') return setQuota(storage, key, value);
  if (value !== 'auto' && value !== 'kernel' && value !== 'fuse') {
    throw new InvalidInput(`'${value}' has to be auto, kernel or fuse`);
  }
  storage.writable = value;
  return true;
}
