import { isAbsolute, posix } from 'node:path';
import { InvalidInput } from '../invalid-input.ts';

export const PROPAGATIONS = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'] as const;
export type Propagation = (typeof PROPAGATIONS)[number];

/** A host directory or file shown in the container. */
export interface BindMount {
  type: 'bind';
  /** Absolute path on the host. */
  source: string;
  target: string;
  readOnly: boolean;
  propagation: Propagation;
  /** Mounts below `source` come along. */
  recursive: boolean;
  /** Make the source a directory where it is missing (`--volume`) instead of failing (`--mount`). */
  createSource: boolean;
}

export interface VolumeMount {
  type: 'volume';
  /** Name of the volume; empty for a new one of no name. */
  source: string;
  target: string;
  readOnly: boolean;
  /** Do not fill an empty volume with what the image has at `target`. */
  noCopy: boolean;
  labels: Record<string, string>;
}

/** The options of a `--volume` that say nothing here: SELinux labels are not ours to set, consistency is for macOS. */
const WITHOUT_EFFECT = ['z', 'Z', 'consistent', 'cached', 'delegated'];

/** What Docker allows for names of volumes and containers. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Reads `--volume [SOURCE:]TARGET[:OPTION,…]`; a source that begins with a dot is a path below `cwd`. */
export function parseVolume(text: string, cwd: string): BindMount | VolumeMount {
  const parts = text.split(':');
  if (parts.some((part) => part === '')) throw new InvalidInput(`invalid spec: ${text}: empty section between colons`);
  if (parts.length > 3) throw new InvalidInput(`invalid spec: ${text}: too many colons`);
  const [source, target, mode = ''] = parts.length === 1 ? ['', parts[0]!] : (parts as [string, string, string?]);
  const isPath = source.startsWith('/') || source.startsWith('.');
  const kind = isPath ? 'bind' : 'volume';
  if (!target.startsWith('/')) {
    throw new InvalidInput(
      `invalid volume specification: '${text}': invalid mount config for type "${kind}": ` +
        `invalid mount path: '${target}' mount path must be absolute`,
    );
  }
  const options = parseMode(mode, isPath);
  const destination = checkTarget(target, kind);
  if (!isPath) {
    const { readOnly, noCopy } = options;
    return { type: 'volume', source: checkVolumeName(source), target: destination, readOnly, noCopy, labels: {} };
  }
  return {
    type: 'bind',
    source: posix.resolve(cwd, source),
    target: destination,
    readOnly: options.readOnly,
    propagation: options.propagation,
    recursive: true,
    createSource: true,
  };
}

/** A volume's name, or empty for an anonymous one. */
export function checkVolumeName(name: string): string {
  if (name === '' || NAME.test(name)) return name;
  throw new InvalidInput(
    `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" ` +
      'are allowed. If you intended to pass a host directory, use absolute path',
  );
}

/** The cleaned path of a mount point in the container. */
export function checkTarget(target: string, kind: string): string {
  const problem = `invalid mount config for type "${kind}"`;
  if (!isAbsolute(target))
    throw new InvalidInput(`${problem}: invalid mount path: '${target}' mount path must be absolute`);
  const clean = posix.resolve(target);
  if (clean === '/') throw new InvalidInput(`${problem}: invalid specification: destination can't be '/'`);
  return clean;
}

function parseMode(mode: string, isPath: boolean): { readOnly: boolean; noCopy: boolean; propagation: Propagation } {
  const options = mode === '' ? [] : mode.split(',');
  const access = options.filter((option) => option === 'ro' || option === 'rw');
  const propagation = PROPAGATIONS.filter((option) => options.includes(option));
  const known = options.every(
    (option) =>
      WITHOUT_EFFECT.includes(option) ||
      access.includes(option as 'ro') ||
      (isPath ? propagation.includes(option as Propagation) : option === 'nocopy'),
  );
  if (!known || access.length > 1 || propagation.length > 1) throw new InvalidInput(`invalid mode: ${mode}`);
  return {
    readOnly: access[0] === 'ro',
    noCopy: options.includes('nocopy'),
    propagation: propagation[0] ?? 'rprivate',
  };
}
