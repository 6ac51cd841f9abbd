import { examineHost } from '../../engine/doctor.ts';
import { defineCommand } from '../command.ts';
import { OBJECT_FORMAT_HELP } from '../output/row-format.ts';
import { formatObjects } from '../output/row-format.ts';

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Check what trun needs from this host, and say how to mend what is missing',
  details: 'Exits with 1 where something is missing without which containers do not run.',
  flags: { format: { kind: 'text', short: 'f', help: OBJECT_FORMAT_HELP } },
  args: [0, 0],
  async run(context, { format }) {
    const findings = await examineHost(context.paths());
    if (format !== undefined) {
      context.printLines(
        formatObjects(
          findings.map((finding) => ({ ...finding })),
          format,
        ),
      );
    } else {
      const width = Math.max(...findings.map(({ name }) => name.length));
      context.printLines(
        findings.map(({ name, status, detail, mend }) => {
          return `${status.padEnd(7)}  ${name.padEnd(width)}  ${detail}${mend === undefined ? '' : `; ${mend}`}`;
        }),
      );
    }
    return findings.some(({ status }) => status === 'missing') ? 1 : 0;
  },
});
