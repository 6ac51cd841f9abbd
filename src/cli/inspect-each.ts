import type { CommandContext } from './command.ts';
import { formatObjects, OBJECT_FORMAT_HELP } from './output/row-format.ts';
import { compileTemplate } from './output/template/execute.ts';
import type { Value } from './output/template/value.ts';
import { messageOf, oneLine } from './report-error.ts';

/** The flag that every `inspect` has. */
export const INSPECT_FORMAT = { kind: 'text', short: 'f', help: OBJECT_FORMAT_HELP } as const;

/** Prints the objects of all names, then what went wrong with the others. Resolves to the exit status. */
export async function inspectEach(
  context: CommandContext,
  names: readonly string[],
  format: string | undefined,
  find: (name: string) => object | Promise<object>,
): Promise<number> {
  // A broken template is told before anything is looked for.
  if (format !== undefined && format !== 'json') compileTemplate(format);
  const objects: Value[] = [];
  const problems: string[] = [];
  for (const name of names) {
    try {
      objects.push((await find(name)) as Value);
    } catch (error) {
      problems.push(oneLine(messageOf(error)));
    }
  }
  context.printLines(formatObjects(objects, format));
  for (const problem of problems) context.complain(problem);
  return problems.length > 0 ? 1 : 0;
}
