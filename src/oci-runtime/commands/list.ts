import { userInfo } from 'node:os';
import { runtimeCommand } from '../command.ts';
import { containerFolders } from '../container-record.ts';
import { type ContainerState, stateOf } from '../container-state.ts';
import { print, printTable } from '../print.ts';
import { RuntimeError } from '../runtime-error.ts';

export const list = runtimeCommand({
  usage: 'list [--quiet] [--format table|json]',
  flags: {
    quiet: { kind: 'boolean', short: 'q', help: 'ids only' },
    format: { kind: 'text', short: 'f', preset: 'table', help: 'table or json' },
  },
  args: [0, 0],
  run({ surroundings, flags }) {
    const states = containerFolders(surroundings.root).flatMap((folder) => {
      const record = readQuietly(() => folder.readOptional());
      return record === undefined ? [] : [stateOf(folder, record)];
    });
    if (flags.quiet) {
      for (const { id } of states) print(id);
    } else if (flags.format === 'json') {
      print(JSON.stringify(states.map((state) => ({ ...state, owner: ownerName(state) }))));
    } else if (flags.format === 'table') {
      printTable([
        ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'],
        ...states.map((state) => [
          state.id,
          String(state.pid),
          state.status,
          state.bundle,
          state.created,
          ownerName(state),
        ]),
      ]);
    } else {
      throw new RuntimeError(`invalid format option: ${flags.format}`);
    }
    return 0;
  },
});

function ownerName({ owner }: ContainerState): string {
  if (owner === process.getuid!()) return readQuietly(() => userInfo().username) ?? `#${owner}`;
  return `#${owner}`;
}

/** A container may be deleted while we look. */
function readQuietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
