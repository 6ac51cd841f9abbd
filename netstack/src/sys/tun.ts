/** /dev/net/tun (linux/if_tun.h, Documentation/networking/tuntap.rst). */
import { constants, openSync } from 'node:fs';
import { ERRNO } from './errno.ts';
import { addressOf, check, errno, libc, systemError } from './libc.ts';

const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const TUNSETOFFLOAD = 0x400454d0;
const TUNSETVNETHDRSZ = 0x400454d8;
const TUNGETIFF = 0x800454d2;

const IFF = { TAP: 0x2, NO_PI: 0x1000, VNET_HDR: 0x4000 } as const;

/** struct ifreq as TUNSETIFF reads it. */
const IFREQ = { size: 40, name: 0, nameSize: 16, flags: 16 } as const;

/** What the reader of the TAP understands; TUN_F_ of linux/if_tun.h. */
export const TUN_OFFLOAD = { CSUM: 1, TSO4: 2, TSO6: 4, ECN: 8, USO4: 0x20, USO6: 0x40 } as const;

/** Opens /dev/net/tun, non-blocking. The interface will belong to the network namespace of the caller. */
export function openTun(): number {
  return openSync('/dev/net/tun', constants.O_RDWR | constants.O_NONBLOCK);
}

/** TUNSETIFF: makes `fd` the TAP `name`. A descriptor that already is one (EEXIST) is left as it is; returns whether frames have a virtio-net header. */
export function setTapInterface(fd: number, name: string, vnetHeader: boolean): boolean {
  const request = new Uint8Array(IFREQ.size);
  const view = new DataView(request.buffer);
  new TextEncoder().encodeInto(name, request.subarray(IFREQ.name, IFREQ.nameSize - 1));
  view.setUint16(IFREQ.flags, IFF.TAP | IFF.NO_PI | (vnetHeader ? IFF.VNET_HDR : 0), true);
  if (libc.ioctl(fd, TUNSETIFF, addressOf(request)) === 0) return vnetHeader;
  // A tun descriptor that has its interface refuses a second TUNSETIFF with EEXIST (EINVAL before Linux 2.6.27).
  if (errno() !== ERRNO.EEXIST) throw systemError('ioctl', `Cannot attach the TAP device ${name}`);
  check(libc.ioctl(fd, TUNGETIFF, addressOf(request)), 'ioctl', `Cannot read the flags of the TAP device ${name}`);
  return (view.getUint16(IFREQ.flags, true) & IFF.VNET_HDR) !== 0;
}

/** The interface lives on when the last descriptor is closed. */
export function setTapPersistent(fd: number, persistent: boolean): void {
  check(libc.ioctl(fd, TUNSETPERSIST, persistent ? 1 : 0), 'ioctl', 'Cannot make the TAP device persistent');
}

/** Size of the virtio-net header, which is kept from an earlier owner of the device. */
export function setTapHeaderSize(fd: number, size: number): void {
  const value = new Int32Array([size]);
  check(
    libc.ioctl(fd, TUNSETVNETHDRSZ, addressOf(new Uint8Array(value.buffer))),
    'ioctl',
    'Cannot set the TAP header size',
  );
}

/** TUNSETOFFLOAD with the first of `choices` that the kernel takes; 0 when it takes none. */
export function setTapOffloads(fd: number, choices: readonly number[]): number {
  return choices.find((choice) => libc.ioctl(fd, TUNSETOFFLOAD, choice) === 0) ?? 0;
}
