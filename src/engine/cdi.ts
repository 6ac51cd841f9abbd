/**
 * Devices by the Container Device Interface (github.com/cncf-tags/container-device-interface, SPEC.md): vendors' files say
 * which device nodes, mounts and variables a name such as `nvidia.com/gpu=all` stands for.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isObject } from '../image/json.ts';
import type { DeviceOption } from '../oci/options/device.ts';
import type { PlannedMount } from '../runtime/mount-stage.ts';
import { EngineError } from './engine-error.ts';

/** What devices come to in a container. */
export interface DeviceEdits {
  readonly devices: readonly DeviceOption[];
  readonly mounts: readonly PlannedMount[];
  /** `NAME=value` each. */
  readonly env: readonly string[];
}

/** Of the specification, the later ones over the earlier. $CDI_SPEC_DIRS, parted by colons, instead of them. */
const FOLDERS = ['/etc/cdi', '/var/run/cdi'];

/** What the names stand for. Throws INVALID where one stands for nothing, or its file cannot be read. */
export function cdiEdits(names: readonly string[], env: NodeJS.ProcessEnv = process.env): DeviceEdits {
  const folders = env['CDI_SPEC_DIRS']?.split(':').filter((folder) => folder !== '') ?? FOLDERS;
  const all = names.flatMap((name) => find(name, folders));
  return {
    devices: all.flatMap(deviceNodes),
    mounts: all.flatMap(mounts),
    env: all.flatMap((edits) => strings(edits['env'])),
  };
}

type Json = Readonly<Record<string, unknown>>;

/** The edits of a device and those of its file. */
function find(name: string, folders: readonly string[]): Json[] {
  const [kind = '', device = ''] = name.split('=', 2);
  for (const folder of folders.toReversed()) {
    for (const file of list(folder)) {
      const spec = read(join(folder, file));
      if (spec?.['kind'] !== kind) continue;
      const found = objects(spec['devices']).find((each) => each['name'] === device);
      if (found === undefined) continue;
      return [spec['containerEdits'], found['containerEdits']].filter(isObject);
    }
  }
  const yaml = folders.flatMap(listYaml)[0];
  const hint = yaml === undefined ? '' : ` (${yaml} is YAML: trun reads those in JSON)`;
  throw new EngineError('INVALID', `unresolvable CDI device ${name}: none of ${folders.join(', ')} has it${hint}`);
}

function list(folder: string): string[] {
  return entries(folder).filter((file) => file.endsWith('.json'));
}

function listYaml(folder: string): string[] {
  return entries(folder)
    .filter((file) => /\.ya?ml$/.test(file))
    .map((file) => join(folder, file));
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** A file that is no specification is nobody's device: the others still are. */
function read(path: string): Json | undefined {
  try {
    const spec: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return isObject(spec) ? spec : undefined;
  } catch {
    return undefined;
  }
}

function deviceNodes(edits: Json): DeviceOption[] {
  return objects(edits['deviceNodes']).flatMap(({ path, hostPath }) => {
    if (typeof path !== 'string' || !path.startsWith('/')) return [];
    return [{ source: typeof hostPath === 'string' && hostPath !== '' ? hostPath : path, target: path }];
  });
}

function mounts(edits: Json): PlannedMount[] {
  return objects(edits['mounts']).flatMap(({ hostPath, containerPath, options }) => {
    if (typeof hostPath !== 'string' || typeof containerPath !== 'string') return [];
    const wanted = strings(options);
    const bind = wanted.some((option) => option === 'bind' || option === 'rbind') ? wanted : ['rbind', ...wanted];
    return [{ destination: containerPath, type: 'bind', source: hostPath, options: bind }];
  });
}

function objects(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
