import { release } from 'node:os';
import { defineCommand } from '../command.ts';
import { compileTemplate } from '../output/template/execute.ts';
import { OBJECT_FORMAT_HELP } from '../output/row-format.ts';
import packageJson from '../../../package.json' with { type: 'json' };

/** Go's names of architectures, which Docker's clients know. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** `trun --version` */
export function versionLine(): string {
  return `trun version ${packageJson.version}`;
}

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Show the trun version information',
  flags: { format: { kind: 'text', short: 'f', help: OBJECT_FORMAT_HELP } },
  args: [0, 0],
  run(context, { format }) {
    const version = {
      Version: packageJson.version,
      NodeVersion: process.versions.node,
      Os: 'linux',
      Arch: ARCHITECTURES[process.arch] ?? process.arch,
      KernelVersion: release(),
    };
    // Client and engine are one program; scripts written for Docker ask for either.
    const data = { Client: version, Server: version };
    if (format === 'json') {
      context.print(JSON.stringify(data));
    } else if (format !== undefined) {
      context.print(compileTemplate(format)(data));
    } else {
      context.printLines([
        'trun',
        ` Version:    ${version.Version}`,
        ` Node:       ${version.NodeVersion}`,
        ` OS/Arch:    ${version.Os}/${version.Arch}`,
        ` Kernel:     ${version.KernelVersion}`,
      ]);
    }
    return Promise.resolve(0);
  },
});
