import { InvalidInput } from '../invalid-input.ts';
import { type Field, parseFields } from './fields.ts';
import { parseSize } from './size.ts';
import { TMPFS_DEFAULTS, type TmpfsMount } from './tmpfs.ts';
import {
  type BindMount,
  checkTarget,
  checkVolumeName,
  PROPAGATIONS,
  type Propagation,
  type VolumeMount,
} from './volume.ts';

export type ContainerMount = BindMount | VolumeMount | TmpfsMount;

interface Draft {
  type: string;
  source: string;
  target: string;
  readOnly: boolean;
  propagation: Propagation;
  recursive: boolean;
  noCopy: boolean;
  labels: Record<string, string>;
  size: string;
  mode: string;
  /** Which of the groups `bind-*`, `volume-*`, `tmpfs-*` have been used. */
  groups: Set<string>;
}

const SETTERS: Readonly<Record<string, (draft: Draft, value: string, field: Field) => void>> = {
  type: (draft, value) => (draft.type = value.toLowerCase()),
  source: (draft, value) => (draft.source = value),
  target: (draft, value) => (draft.target = value),
  readonly: (draft, value, field) => (draft.readOnly = parseBoolean(value, field)),
  // Means something on macOS only.
  consistency: () => undefined,
  'bind-propagation': (draft, value, field) => {
    const propagation = PROPAGATIONS.find((known) => known === value);
    if (propagation === undefined) throw new InvalidInput(`invalid value for ${field.key}: ${value}`);
    draft.propagation = propagation;
  },
  'bind-nonrecursive': (draft, value, field) => (draft.recursive = !parseBoolean(value, field)),
  'bind-recursive': (draft, value, field) => {
    // `writable` and `readonly` differ in what a read-only mount does to those below it: ours are read-only too.
    const modes = ['enabled', 'disabled', 'writable', 'readonly'];
    if (!modes.includes(value)) {
      throw new InvalidInput(
        `invalid value for ${field.key}: ${value} (must be "enabled", "disabled", "writable", or "readonly")`,
      );
    }
    draft.recursive = value !== 'disabled';
  },
  'volume-nocopy': (draft, value, field) => (draft.noCopy = parseBoolean(value, field)),
  'volume-label': (draft, value) => {
    const [key, ...rest] = value.split('=') as [string, ...string[]];
    draft.labels[key] = rest.join('=');
  },
  'volume-driver': (_draft, value) => {
    if (value !== 'local') throw new InvalidInput(`volume driver "${value}" is not supported: only "local" is`);
  },
  'tmpfs-size': (draft, value, field) => {
    try {
      draft.size = String(parseSize(value));
    } catch {
      throw new InvalidInput(`invalid value for ${field.key}: ${value}`);
    }
  },
  'tmpfs-mode': (draft, value, field) => {
    if (!/^0?[0-7]{1,4}$/.test(value)) throw new InvalidInput(`invalid value for ${field.key}: ${value}`);
    draft.mode = value;
  },
};

const ALIASES: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
};

/** The keys that stand for `true` when they have no value. */
const BARE = ['readonly', 'volume-nocopy', 'bind-nonrecursive'];

/** Reads `--mount type=bind|volume|tmpfs,source=…,target=…,…`. */
export function parseMount(text: string): ContainerMount {
  const draft: Draft = {
    type: 'volume',
    source: '',
    target: '',
    readOnly: false,
    propagation: 'rprivate',
    recursive: true,
    noCopy: false,
    labels: {},
    size: '',
    mode: '',
    groups: new Set(),
  };
  for (const field of parseFields(text)) {
    const key = ALIASES[field.key] ?? field.key;
    const value = field.value ?? (BARE.includes(key) ? 'true' : undefined);
    if (value === undefined) throw new InvalidInput(`invalid field '${field.field}' must be a key=value pair`);
    const set = Object.hasOwn(SETTERS, key) ? SETTERS[key] : undefined;
    if (set === undefined) throw new InvalidInput(`unexpected key '${field.key}' in '${field.field}'`);
    const [group, rest] = key.split('-');
    if (rest !== undefined) draft.groups.add(group!);
    set(draft, value, field);
  }
  return finish(draft);
}

function finish({ type, source, target, readOnly, ...draft }: Draft): ContainerMount {
  if (type === '') throw new InvalidInput('type is required');
  if (target === '') throw new InvalidInput('target is required');
  for (const group of draft.groups) {
    if (group !== type) throw new InvalidInput(`cannot mix '${group}-*' options with mount type '${type}'`);
  }
  switch (type) {
    case 'bind': {
      const { propagation, recursive } = draft;
      if (source === '') throw new InvalidInput('invalid mount config for type "bind": field Source must not be empty');
      if (!source.startsWith('/')) {
        throw new InvalidInput(
          `invalid mount config for type "bind": invalid mount path: '${source}' mount path must be absolute`,
        );
      }
      return { type, source, target: checkTarget(target, type), readOnly, propagation, recursive, createSource: false };
    }
    case 'volume': {
      const { noCopy, labels } = draft;
      return { type, source: checkVolumeName(source), target: checkTarget(target, type), readOnly, noCopy, labels };
    }
    case 'tmpfs': {
      if (source !== '')
        throw new InvalidInput('invalid mount config for type "tmpfs": field Source must not be specified');
      const options = [...TMPFS_DEFAULTS];
      if (draft.size !== '') options.push(`size=${draft.size}`);
      if (draft.mode !== '') options.push(`mode=${draft.mode}`);
      if (readOnly) options.push('ro');
      return { type, target: checkTarget(target, type), options };
    }
    default:
      throw new InvalidInput(`mount type unknown: "${type}"`);
  }
}

function parseBoolean(value: string, { key }: Field): boolean {
  if (['1', 't', 'true'].includes(value.toLowerCase())) return true;
  if (['0', 'f', 'false'].includes(value.toLowerCase())) return false;
  throw new InvalidInput(`invalid value for ${key}: ${value}`);
}
