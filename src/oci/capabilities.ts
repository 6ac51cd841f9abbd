import { InvalidInput } from './invalid-input.ts';

/** linux/capability.h, in the order of their numbers: the index is the bit. */
export const CAPABILITY_NAMES = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
] as const;
export type CapabilityName = (typeof CAPABILITY_NAMES)[number];

/** What a container gets when nobody asks for more or less, as with Docker. */
export const DEFAULT_CAPABILITIES: readonly CapabilityName[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

/** `--cap-add` and `--cap-drop` values as the user wrote them. */
export interface CapabilityChanges {
  add?: readonly string[];
  drop?: readonly string[];
  privileged?: boolean;
}

/**
 * The capabilities of a container, by number. With `--cap-add ALL` what is dropped is left out of all of them; with
 * `--cap-drop ALL` only what is added stays; dropped ones lose against added ones otherwise.
 */
export function resolveCapabilities({ add = [], drop = [], privileged = false }: CapabilityChanges): CapabilityName[] {
  if (privileged) return [...CAPABILITY_NAMES];
  const added = new Set(add.map((name) => normalize(name, 'CapAdd')));
  const dropped = new Set(drop.map((name) => normalize(name, 'CapDrop')));
  return CAPABILITY_NAMES.filter((name) => {
    if (added.has('ALL')) return !dropped.has(name);
    if (added.has(name)) return true;
    return DEFAULT_CAPABILITIES.includes(name) && !dropped.has('ALL') && !dropped.has(name);
  });
}

/** The set as a bit mask. Names above `lastCap` (/proc/sys/kernel/cap_last_cap) are unknown to the kernel: left out. */
export function capabilityMask(names: Iterable<string>, lastCap = CAPABILITY_NAMES.length - 1): bigint {
  let mask = 0n;
  for (const name of names) {
    const number = CAPABILITY_NAMES.indexOf(name as CapabilityName);
    if (number < 0) throw new InvalidInput(`unknown capability: "${name}"`);
    if (number <= lastCap) mask |= 1n << BigInt(number);
  }
  return mask;
}

/** linux/capability.h: _LINUX_CAPABILITY_VERSION_3, for which capset(2) takes each set in two 32-bit halves. */
export const CAPABILITY_VERSION_3 = 0x20080522;

/** `mask` as the two halves, low one first, of capset(2) version 3. */
export function capabilityHalves(mask: bigint): [low: number, high: number] {
  return [Number(mask & 0xffff_ffffn), Number(mask >> 32n)];
}

function normalize(name: string, option: string): CapabilityName | 'ALL' {
  const upper = name.toUpperCase();
  if (upper === 'ALL') return 'ALL';
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  const known = CAPABILITY_NAMES.find((candidate) => candidate === full);
  if (known === undefined) throw new InvalidInput(`invalid ${option}: unknown capability: "${full}"`);
  return known;
}
