/** Id maps as text and arguments: user_namespaces(7), newuidmap(1). */

/** One line of /proc/PID/uid_map: `count` ids from `inside` on are those from `outside` on. */
export interface IdExtent {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

/** The same ids in a namespace inside: its ids are its parent's. Text for /proc/PID/uid_map, to be written at once. */
export function nestedMap(extents: readonly IdExtent[]): string {
  return extents.map(({ inside, count }) => `${inside} ${inside} ${count}\n`).join('');
}

/** Arguments of newuidmap(1) behind the pid. */
export function mapArguments(extents: readonly IdExtent[]): string[] {
  return extents.flatMap(({ inside, outside, count }) => [String(inside), String(outside), String(count)]);
}

/** Text for /proc/PID/uid_map. */
export function mapText(extents: readonly IdExtent[]): string {
  return extents.map(({ inside, outside, count }) => `${inside} ${outside} ${count}\n`).join('');
}

/** How many ids the map gives, which are those from 0 on. */
export function idCount(extents: readonly IdExtent[]): number {
  return extents.reduce((count, extent) => count + extent.count, 0);
}
