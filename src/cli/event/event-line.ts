/** An event as `events` prints it, and its filters. */
import type { EngineEvent } from '../../engine/event-log.ts';
import { type FilterTest, matchesLabel } from '../filters.ts';

/** `2026-11-20T12:00:00.000000000Z container start ID (image=busybox, name=box)` */
export function eventLine({ Type, Action, Actor, timeNano }: EngineEvent): string {
  const time = new Date(timeNano / 1e6).toISOString().replace('Z', '000000Z');
  const attributes = Object.entries(Actor.Attributes)
    .map(([key, value]) => `${key}=${value}`)
    .sort();
  // Labels are the user's or an image's: a line is a line.
  // eslint-disable-next-line no-control-regex
  const shown = ` (${attributes.join(', ')})`.replace(/[\x00-\x1f\x7f]/g, '?');
  return `${time} ${Type} ${Action} ${Actor.ID}${attributes.length === 0 ? '' : shown}`;
}

function ofType(type: EngineEvent['Type']): FilterTest<EngineEvent> {
  return ({ Type, Actor }, value) => {
    return Type === type && (Actor.ID === value || Actor.Attributes['name'] === value || Actor.ID.startsWith(value));
  };
}

export const EVENT_FILTERS: Readonly<Record<string, FilterTest<EngineEvent>>> = {
  container: ofType('container'),
  daemon: ofType('daemon'),
  // `exec_start` stands for all `exec_start: COMMAND`, `health_status` for every state.
  event: ({ Action }, value) => Action === value || Action.startsWith(`${value}:`),
  image: ({ Type, Actor }, value) => {
    const name = Type === 'image' ? (Actor.Attributes['name'] ?? Actor.ID) : (Actor.Attributes['image'] ?? '');
    return name === value || name === `${value}:latest` || Actor.ID === value;
  },
  label: ({ Actor }, value) => matchesLabel(Actor.Attributes, value),
  network: ofType('network'),
  scope: ({ scope }, value) => scope === value,
  type: ({ Type }, value) => Type === value,
  volume: ofType('volume'),
};
