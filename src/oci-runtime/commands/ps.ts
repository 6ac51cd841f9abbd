import { spawnSync } from 'node:child_process';
import { runtimeCommand } from '../command.ts';
import { containerProcesses } from '../container-processes.ts';
import { ContainerFolder } from '../container-record.ts';
import { print } from '../print.ts';
import { RuntimeError } from '../runtime-error.ts';

export const ps = runtimeCommand({
  usage: 'ps [--format table|json] ID [PS-OPTIONS…]',
  flags: { format: { kind: 'text', short: 'f', preset: 'table', help: 'table or json' } },
  interspersed: false,
  args: [1, Infinity],
  run({ surroundings, args: [id = '', ...options], flags }) {
    const pids = containerProcesses(new ContainerFolder(surroundings.root, id).read());
    if (flags.format === 'json') {
      print(JSON.stringify(pids));
      return 0;
    }
    if (flags.format !== 'table') throw new RuntimeError(`invalid format option: ${flags.format}`);
    const { stdout, status, error, stderr } = spawnSync('ps', options.length === 0 ? ['-ef'] : options, {
      encoding: 'utf8',
    });
    if (status !== 0) throw new RuntimeError(`ps failed: ${error?.message ?? stderr.trim()}`);
    const [title = '', ...lines] = stdout.trimEnd().split('\n');
    const column = title.trim().split(/\s+/).indexOf('PID');
    if (column === -1) throw new RuntimeError("couldn't find PID field in ps output");
    print(title);
    for (const line of lines) if (pids.includes(Number(line.trim().split(/\s+/)[column]))) print(line);
    return 0;
  },
});
