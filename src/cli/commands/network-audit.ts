import { egressDecisions, type EgressEntry } from '../../engine/egress-log.ts';
import { findContainer } from '../../engine/container.ts';
import { defineCommand } from '../command.ts';

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER',
  summary: 'Show which connections of a container its --egress rules have decided about',
  flags: { format: { kind: 'text', help: "'json': one JSON object a line" } },
  args: [1, 1],
  run(context, { format }, [name]) {
    const entries = egressDecisions(findContainer(context.paths(), name!));
    context.printLines(entries.map((entry) => (format === 'json' ? JSON.stringify(entry) : describe(entry))));
    return Promise.resolve(0);
  },
});

/** `2026-01-01T00:00:00.000Z deny tcp 192.0.2.1:443 (example.org) by *.org, 3 times more`. */
function describe({ time, action, protocol, address, port, name, rule, repeated }: EgressEntry): string {
  const host = address?.includes(':') === true && port !== undefined ? `[${address}]` : address;
  const target = host === undefined ? (name ?? '') : `${host}${port === undefined ? '' : `:${port}`}`;
  return [
    `${time} ${action} ${protocol} ${target}`,
    ...(host === undefined || name === undefined ? [] : [` (${name})`]),
    ...(rule === undefined ? [] : [` by ${rule}`]),
    ...(repeated === undefined ? [] : [`, ${repeated} times more`]),
  ].join('');
}
