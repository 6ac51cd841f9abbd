/** Devices of the host in a container: bound, for no user namespace may make device nodes. */
import { readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../base/error-code.ts';
import type { DeviceOption } from '../oci/options/device.ts';
import type { PlannedMount } from '../runtime/mount-stage.ts';
import { EngineError } from './engine-error.ts';

/** The mounts that show the devices. Throws INVALID in Docker's words where there is none. */
export function deviceMounts(devices: readonly DeviceOption[]): PlannedMount[] {
  return devices.flatMap((device) => {
    const stat = look(device.source);
    if (!stat.isDirectory()) return isDevice(stat) ? [bind(device)] : raise(device.source, 'not a device node');
    return devicesIn(device.source).map((name) => {
      return bind({ source: join(device.source, name), target: join(device.target, name) });
    });
  });
}

function look(path: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    return raise(path, errorCode(error) === 'ENOENT' ? 'no such file or directory' : (error as Error).message);
  }
}

function raise(path: string, reason: string): never {
  throw new EngineError(
    'INVALID',
    `error gathering device information while adding custom device "${path}": ${reason}`,
  );
}

function isDevice(stat: Stats): boolean {
  return stat.isCharacterDevice() || stat.isBlockDevice();
}

/** Those below a folder, as paths relative to it. */
function devicesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const stat = statSync(join(folder, name), { throwIfNoEntry: false });
    return stat !== undefined && isDevice(stat);
  });
}

function bind({ source, target }: DeviceOption): PlannedMount {
  return { destination: target, type: 'bind', source, options: ['bind', 'rprivate'], isFile: true };
}
