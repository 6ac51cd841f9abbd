import { text } from 'node:stream/consumers';
import { openImageStore } from '../../image/image-store.ts';
import { logIn } from '../../image/registry/login.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import type { CommandContext } from '../command.ts';
import { defineCommand } from '../command.ts';
import { askForLine } from '../image/ask-for-line.ts';
import { registryDomain } from '../image/registry-domain.ts';

export const command = defineCommand({
  usage: '[OPTIONS] [SERVER]',
  summary: 'Authenticate to a registry',
  details: 'Defaults to Docker Hub if no server is specified.',
  flags: {
    password: { kind: 'text', short: 'p', help: 'Password or Personal Access Token (PAT)' },
    'password-stdin': { kind: 'boolean', help: 'Take the Password or Personal Access Token (PAT) from stdin' },
    username: { kind: 'text', short: 'u', help: 'Username' },
  },
  args: [0, 1],
  async run(context, flags, [server]) {
    const domain = registryDomain(server);
    const { username, password } = await credentials(context, flags);
    if (flags.password !== undefined) {
      context.stderr.write('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n');
    }
    const store = openImageStore(context.paths().images, { env: context.env });
    const file = await logIn(store, { domain, username, password });
    if (file !== undefined) {
      context.stderr.write(
        `WARNING! Your credentials are stored unencrypted in '${file}'.\nConfigure a credential helper to remove this warning.\n`,
      );
    }
    context.print('Login Succeeded');
    return 0;
  },
});

interface LoginFlags {
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly 'password-stdin': boolean;
}

async function credentials(
  context: CommandContext,
  { username, password, 'password-stdin': fromStdin }: LoginFlags,
): Promise<{ username: string; password: string }> {
  if (fromStdin) {
    if (password !== undefined)
      throw new InvalidInput('conflicting options: cannot specify both --password and --password-stdin');
    if (username === undefined) throw new InvalidInput('the --password-stdin option requires --username to be set');
    return { username, password: (await text(context.stdin)).replace(/\r?\n$/, '') };
  }
  const given = { username, password };
  if (given.username !== undefined && given.password !== undefined)
    return { username: given.username, password: given.password };
  if (!context.stdin.isTTY)
    throw new InvalidInput('cannot perform an interactive login from a non-TTY device: use --password-stdin');
  const name = given.username ?? (await askForLine(context, 'Username: ', true));
  if (name === '') throw new InvalidInput('username is required');
  const secret = given.password ?? (await askForLine(context, 'Password: ', false));
  if (secret === '') throw new InvalidInput('password is required');
  return { username: name, password: secret };
}
