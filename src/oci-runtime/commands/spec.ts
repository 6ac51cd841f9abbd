import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultBundleSpec } from '../../oci/default-bundle-spec.ts';
import { runtimeCommand } from '../command.ts';
import { RuntimeError } from '../runtime-error.ts';

export const spec = runtimeCommand({
  usage: 'spec [--bundle DIR] [--rootless]',
  flags: {
    bundle: { kind: 'text', short: 'b', preset: '.', help: 'folder to write config.json to' },
    rootless: { kind: 'boolean', help: 'for this user, who is not root' },
  },
  args: [0, 0],
  run({ flags }) {
    const path = join(flags.bundle, 'config.json');
    if (existsSync(path)) throw new RuntimeError(`File ${path} exists. Remove it first`);
    const rootless = flags.rootless ? { uid: process.geteuid!(), gid: process.getegid!() } : undefined;
    writeFileSync(path, `${JSON.stringify(defaultBundleSpec(rootless), undefined, '\t')}\n`, { mode: 0o666 });
    return 0;
  },
});
