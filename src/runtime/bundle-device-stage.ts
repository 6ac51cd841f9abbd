/** /dev of a bundle's container: the runtime spec's default devices and links, and what its `linux.devices` lists. */
import { Label, type LaunchPlan } from '../monitor/plan.ts';
import type { Device } from '../oci/runtime-spec.ts';
import { S_IF } from '../sys/linux-constants.ts';
import type { BundleLaunch } from './bundle-launch.ts';
import { appendDeviceLinks, bindDevice } from './device-stage.ts';
import { nameInRoot } from './inside-root.ts';

/** Runtime spec, "Default Devices". */
const DEFAULTS: readonly Device[] = [
  { path: '/dev/null', type: 'c', major: 1, minor: 3 },
  { path: '/dev/zero', type: 'c', major: 1, minor: 5 },
  { path: '/dev/full', type: 'c', major: 1, minor: 7 },
  { path: '/dev/random', type: 'c', major: 1, minor: 8 },
  { path: '/dev/urandom', type: 'c', major: 1, minor: 9 },
  { path: '/dev/tty', type: 'c', major: 5, minor: 0 },
];

const TYPES = { c: S_IF.CHR, u: S_IF.CHR, b: S_IF.BLK, p: S_IF.FIFO } as const;

const AT_SYMLINK_NOFOLLOW = 0x100;

export function appendBundleDevices(
  plan: LaunchPlan,
  { spec, mounts, canMakeDevices }: Pick<BundleLaunch, 'spec' | 'mounts' | 'canMakeDevices'>,
): void {
  const own = spec.linux?.devices ?? [];
  // A /dev of the host's has everything, and is not ours to change.
  if (mounts.some(({ destination, source }) => /^\/dev\/*$/.test(destination) && source === '/dev')) return;
  appendDeviceLinks(plan);
  const devices = [...DEFAULTS.filter(({ path }) => !own.some((device) => device.path === path)), ...own];
  for (const device of devices) {
    if (canMakeDevices || device.type === 'p') makeDevice(plan, device);
    else bindDevice(plan, device.path, device.path);
  }
}

/** mknod(2); where it is refused or something has the name already, the host's device goes over it. */
function makeDevice(plan: LaunchPlan, device: Device): void {
  const { path, type, major = 0, minor = 0, fileMode = 0o666, uid = 0, gid = 0 } = device;
  const [refused, done] = [new Label(), new Label()];
  const { folder, name } = nameInRoot(plan, path);
  const mode = fileMode & 0o7777;
  plan.call('mknodat', [folder, name, TYPES[type] | mode, deviceNumber(major, minor)], `create ${path}`, {
    otherwise: refused,
  });
  plan.call('fchmodat', [folder, name, mode], `set the mode of ${path}`);
  plan.call('fchownat', [folder, name, uid, gid, AT_SYMLINK_NOFOLLOW], `set the owner of ${path}`);
  plan.jump(done);
  plan.place(refused);
  bindDevice(plan, path, path);
  plan.place(done);
}

/** As the kernel's new_encode_dev takes it: linux/kdev_t.h. */
function deviceNumber(major: number, minor: number): number {
  return (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
}
