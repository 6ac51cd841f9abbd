/** Id maps as text and arguments: user_namespaces(7), newuidmap(1). */

/** One line of /proc/PID/uid_map: `count` ids from `inside` on are those from `outside` on. */
export interface IdExtent {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

/** The map of a namespace inside one with `extents`, whose ids are its parent's. */
export function nestedExtents(extents: readonly IdExtent[]): IdExtent[] {
  return extents.map(({ inside, count }) => ({ inside, outside: inside, count }));
}

/**
 * The map of a namespace inside one with ids 0 up to `count`, in which the parent's root, the user, is `id`, as on the host;
 * those before it come from the ids after root. Undefined where there are not so many.
 */
export function keptExtents(count: number, id: number): IdExtent[] | undefined {
  if (id === 0) return [{ inside: 0, outside: 0, count }];
  if (id >= count) return undefined;
  return [
    { inside: 0, outside: 1, count: id },
    { inside: id, outside: 0, count: 1 },
    ...(count - id > 1 ? [{ inside: id + 1, outside: id + 1, count: count - id - 1 }] : []),
  ];
}

/** Arguments of newuidmap(1) behind the pid. */
export function mapArguments(extents: readonly IdExtent[]): string[] {
  return extents.flatMap(({ inside, outside, count }) => [String(inside), String(outside), String(count)]);
}

/** Text for /proc/PID/uid_map, to be written at once. */
export function mapText(extents: readonly IdExtent[]): string {
  return extents.map(({ inside, outside, count }) => `${inside} ${outside} ${count}\n`).join('');
}

/** How many ids the map gives, which are those from 0 on. */
export function idCount(extents: readonly IdExtent[]): number {
  return extents.reduce((count, extent) => count + extent.count, 0);
}
