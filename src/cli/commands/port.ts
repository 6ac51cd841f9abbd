import { EngineError } from '../../engine/engine-error.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { defineCommand } from '../command.ts';
import { trueContainer } from '../container/true-records.ts';
import { hostEnd } from '../container/port-list.ts';

export const command = defineCommand({
  usage: 'CONTAINER [PRIVATE_PORT[/PROTO]]',
  summary: 'List port mappings or a specific mapping for the container',
  flags: {},
  args: [1, 2],
  async run(context, _flags, [name, wanted]) {
    const { state } = await trueContainer(context, name!);
    const ports = [...(state.network?.ports ?? [])].sort((a, b) => a.containerPort - b.containerPort);
    if (wanted === undefined) {
      context.printLines(
        ports.map(({ containerPort, protocol, hostAddress, hostPort }) => {
          return `${containerPort}/${protocol} -> ${hostEnd(hostAddress, hostPort)}`;
        }),
      );
      return 0;
    }
    const [, port, protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(wanted) ?? [];
    if (port === undefined) throw new InvalidInput(`invalid port: '${wanted}'`);
    const found = ports.filter((each) => each.containerPort === Number(port) && each.protocol === protocol);
    if (found.length === 0) {
      throw new EngineError('NOT_FOUND', `No public port '${port}/${protocol}' published for ${name!}`);
    }
    context.printLines(found.map(({ hostAddress, hostPort }) => hostEnd(hostAddress, hostPort)));
    return 0;
  },
});
