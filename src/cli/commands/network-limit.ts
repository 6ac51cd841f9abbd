import { trafficOf } from '../../engine/attachments.ts';
import { findContainer } from '../../engine/container.ts';
import { defineCommand } from '../command.ts';
import { readTraffic } from '../container/traffic-rules.ts';
import type { Flag } from '../flags/flag.ts';

const flags = {
  egress: { kind: 'list', type: 'rules', help: 'Rules that replace those it has: allow=… or deny=…' },
  'net-delay': { kind: 'text', type: 'time', help: 'Delay, each way (e.g., 50ms; 0 for none)' },
  'net-loss': {
    kind: 'text',
    type: 'percent',
    help: 'Share of packets that are lost, each way (e.g., 1%; 0 for none)',
  },
  'net-rate': { kind: 'text', type: 'rate', help: 'Rate, each way (e.g., 10mbit; 0 for no limit)' },
  reset: { kind: 'boolean', help: 'Lift all limits and rules first' },
} as const satisfies Record<string, Flag>;

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER',
  summary: "Show or change what a container's traffic is held to",
  details: 'Without options, prints what it is held to now. Connections that are open go on under new --egress rules.',
  flags,
  args: [1, 1],
  async run(context, values, [name]) {
    const given = readTraffic(flags, values);
    const changes = values.reset ? { rate: 0, delay: 0, loss: 0, egress: [], ...given } : given;
    if (Object.keys(changes).length > 0) {
      await context.ask('limitTraffic', { container: name!, changes });
      return 0;
    }
    const { rate = 0, delay = 0, loss = 0, egress = [] } = trafficOf(findContainer(context.paths(), name!).config);
    context.printLines([
      `rate ${rate === 0 ? 'unlimited' : `${rate / 1e6}mbit`}`,
      `delay ${delay}ms`,
      `loss ${100 * loss}%`,
      ...egress.map(({ action, text }) => `egress ${action} ${text}`),
    ]);
    return 0;
  },
});
