import { type EngineEvent, followEvents } from '../../engine/event-log.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { defineCommand } from '../command.ts';
import { EVENT_FILTERS, eventLine } from '../event/event-line.ts';
import { parseFilters } from '../filters.ts';
import { parseTimeBound } from '../log/time-bound.ts';
import { OBJECT_FORMAT_HELP } from '../output/row-format.ts';
import { compileTemplate } from '../output/template/execute.ts';
import { messageOf } from '../report-error.ts';

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Get real time events from the engine',
  flags: {
    filter: { kind: 'list', type: 'filter', short: 'f', help: 'Filter output based on conditions provided' },
    format: { kind: 'text', help: OBJECT_FORMAT_HELP },
    since: { kind: 'text', help: 'Show all events created since timestamp' },
    until: { kind: 'text', help: 'Stream events until this timestamp' },
  },
  args: [0, 0],
  async run(context, { filter, format, since, until }) {
    const passes = parseFilters(filter, EVENT_FILTERS);
    const show = eventFormat(format);
    function bound(name: string, text: string | undefined): number | undefined {
      try {
        return text === undefined ? undefined : parseTimeBound(text, context.now);
      } catch (error) {
        throw new InvalidInput(`invalid value for "${name}": ${messageOf(error)}`);
      }
    }
    const span = { since: bound('since', since), until: bound('until', until) };
    const stop = new AbortController();
    await followEvents(context.paths(), span, stop.signal, (event) => {
      if (passes(event)) context.print(show(event));
    });
    return 0;
  },
});

function eventFormat(format: string | undefined): (event: EngineEvent) => string {
  if (format === undefined || format === '') return eventLine;
  if (format === 'json') return (event) => JSON.stringify(event);
  const print = compileTemplate(format.replaceAll('\\t', '\t').replaceAll('\\n', '\n'));
  // Docker's templates have the time with both fields, and the action as Status and Action.
  return (event) =>
    print({
      ...event,
      Status: event.Action,
      ID: event.Actor.ID,
      Scope: event.scope,
      Time: event.time,
      TimeNano: event.timeNano,
    });
}
