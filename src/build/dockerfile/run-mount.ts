/** `RUN --mount=type=…`: https://docs.docker.com/reference/dockerfile/#run---mount */

import { parseFields } from '../../oci/options/fields.ts';

export type RunMount =
  | {
      readonly type: 'bind';
      readonly from: string | undefined;
      readonly source: string;
      readonly target: string;
      readonly writable: boolean;
    }
  | {
      readonly type: 'cache';
      readonly id: string;
      readonly from: string | undefined;
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly sharing: 'shared' | 'private' | 'locked';
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | { readonly type: 'tmpfs'; readonly target: string; readonly size: string | undefined }
  | {
      readonly type: 'secret';
      readonly id: string;
      /** Undefined: the secret is in a variable alone. */
      readonly target: string | undefined;
      readonly env: string | undefined;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | {
      readonly type: 'ssh';
      readonly id: string;
      readonly target: string | undefined;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    };

/** Which fields each type knows. */
const FIELDS: Readonly<Record<RunMount['type'], readonly string[]>> = {
  bind: ['from', 'source', 'target', 'readonly', 'readwrite'],
  cache: ['id', 'from', 'source', 'target', 'readonly', 'readwrite', 'sharing', 'mode', 'uid', 'gid'],
  tmpfs: ['target', 'size'],
  secret: ['id', 'source', 'target', 'required', 'mode', 'uid', 'gid', 'env'],
  ssh: ['id', 'source', 'target', 'required', 'mode', 'uid', 'gid'],
};

const ALIASES: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
  rw: 'readwrite',
};
const FLAGS = ['readonly', 'readwrite', 'required'];

/** Parses the value of the flag, its variables expanded. Throws an Error in words for the Dockerfile's author. */
export function parseRunMount(text: string): RunMount {
  const fields = new Map<string, string>();
  for (const { key, value, field } of parseFields(text)) {
    const name = ALIASES[key] ?? key;
    if (value === undefined && !FLAGS.includes(name))
      throw new Error(`invalid field '${field}' must be a key=value pair`);
    fields.set(name, value ?? 'true');
  }
  const type = fields.get('type') ?? 'bind';
  if (!Object.hasOwn(FIELDS, type)) throw new Error(`unsupported mount type "${type}"`);
  fields.delete('type');
  const known = FIELDS[type as RunMount['type']];
  for (const name of fields.keys())
    if (!known.includes(name)) throw new Error(`unexpected key '${name}' for mount type "${type}"`);
  return build(type as RunMount['type'], fields);
}

function build(type: RunMount['type'], fields: ReadonlyMap<string, string>): RunMount {
  const target = fields.get('target');
  function needed(): string {
    if (target === undefined || target === '') throw new Error(`target of the ${type} mount is required`);
    return target;
  }
  const owner = { uid: id(fields, 'uid'), gid: id(fields, 'gid') };
  const from = fields.get('from');
  switch (type) {
    case 'bind':
      return {
        type,
        from,
        source: fields.get('source') ?? '/',
        target: needed(),
        writable: flag(fields, 'readwrite') && !flag(fields, 'readonly'),
      };
    case 'cache': {
      const sharing = (fields.get('sharing') ?? 'shared').toLowerCase();
      if (sharing !== 'shared' && sharing !== 'private' && sharing !== 'locked')
        throw new Error(`unsupported sharing value "${sharing}"`);
      const path = needed();
      return {
        ...{ type, from, source: fields.get('source') ?? '/', target: path, sharing, ...owner },
        id: fields.get('id') ?? path,
        readOnly: flag(fields, 'readonly'),
        mode: mode(fields, 0o755),
      };
    }
    case 'tmpfs':
      return { type, target: needed(), size: fields.get('size') };
    case 'secret': {
      const env = fields.get('env');
      const name =
        fields.get('id') ??
        fields.get('source') ??
        (target === undefined ? undefined : target.slice(target.lastIndexOf('/') + 1));
      if (name === undefined || name === '') throw new Error('secret mount: id or target is required');
      const place = target ?? (env === undefined ? `/run/secrets/${name}` : undefined);
      return {
        type,
        id: name,
        target: place,
        env,
        required: flag(fields, 'required'),
        mode: mode(fields, 0o400),
        ...owner,
      };
    }
    case 'ssh':
      return {
        type,
        id: fields.get('id') ?? fields.get('source') ?? 'default',
        target,
        required: flag(fields, 'required'),
        mode: mode(fields, 0o600),
        ...owner,
      };
  }
}

function flag(fields: ReadonlyMap<string, string>, name: string): boolean {
  const value = fields.get(name)?.toLowerCase();
  if (value === undefined) return false;
  if (['true', '1', 't', ''].includes(value)) return true;
  if (['false', '0', 'f'].includes(value)) return false;
  throw new Error(`invalid value for ${name}: ${value}`);
}

function id(fields: ReadonlyMap<string, string>, name: string): number {
  const value = fields.get(name) ?? '0';
  if (!/^\d{1,9}$/.test(value)) throw new Error(`invalid value ${value} for ${name}`);
  return Number(value);
}

function mode(fields: ReadonlyMap<string, string>, preset: number): number {
  const value = fields.get('mode');
  if (value === undefined) return preset;
  if (!/^[0-7]{1,5}$/.test(value)) throw new Error(`invalid value ${value} for mode`);
  return Number.parseInt(value, 8);
}
