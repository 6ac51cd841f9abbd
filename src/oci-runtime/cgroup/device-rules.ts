/** Which devices a container may use: the rules of `linux.resources.devices`, and what every container gets. */
import type { Device, DeviceRule } from '../../oci/runtime-spec.ts';

/** A rule with nothing left out; an undefined number is any. */
export interface FullRule {
  readonly allow: boolean;
  readonly type: 'a' | 'b' | 'c';
  readonly major: number | undefined;
  readonly minor: number | undefined;
  readonly access: string;
}

/** The default devices of the runtime spec, terminals, and mknod(2) of anything: a node alone opens nothing. */
const DEFAULTS: readonly DeviceRule[] = [
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...(
    [
      [1, 3],
      [1, 5],
      [1, 7],
      [1, 8],
      [1, 9],
      [5, 0],
      [5, 1],
      [5, 2],
      [136, -1],
    ] as const
  ).map(([major, minor]) => ({ allow: true, type: 'c', major, minor, access: 'rwm' }) as const),
];

/** In order: the last rule that matches counts. Nothing is allowed that no rule allows. */
export function deviceRules(rules: readonly DeviceRule[], devices: readonly Device[]): FullRule[] {
  const nodes = devices.flatMap(({ type, major, minor }): DeviceRule[] =>
    type === 'p' || major === undefined || minor === undefined
      ? []
      : [{ allow: true, type: type === 'b' ? 'b' : 'c', major, minor, access: 'rwm' }],
  );
  return [...rules, ...DEFAULTS, ...nodes].map(({ allow, type = 'a', major, minor, access }) => ({
    allow,
    type,
    major: major === undefined || major < 0 ? undefined : major,
    minor: minor === undefined || minor < 0 ? undefined : minor,
    access: access === undefined || access === '' ? 'rwm' : access,
  }));
}

/** A line for devices.allow or devices.deny of version 1: Documentation/admin-guide/cgroup-v1/devices.rst. */
export function ruleLine({ type, major, minor, access }: FullRule): string {
  return type === 'a' ? 'a' : `${type} ${major ?? '*'}:${minor ?? '*'} ${access}`;
}
