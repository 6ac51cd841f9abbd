import { runtimeCommand, type RuntimeCommand } from '../command.ts';
import { RuntimeError } from '../runtime-error.ts';

/** What engines may ask for and trun-oci does not have: said so, whatever the flags. */
export const checkpoint = refused('checkpoint');
export const restore = refused('restore');

function refused(name: string): RuntimeCommand {
  return runtimeCommand({
    usage: `${name} ID`,
    flags: {},
    args: [0, Infinity],
    run() {
      throw new RuntimeError(`${name} is not supported by trun-oci: it would take CRIU`);
    },
  });
}
