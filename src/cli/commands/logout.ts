import { logOut } from '../../image/registry/login.ts';
import { defineCommand } from '../command.ts';
import { registryDomain } from '../image/registry-domain.ts';

export const command = defineCommand({
  usage: '[SERVER]',
  summary: 'Log out from a registry',
  details: 'Defaults to Docker Hub if no server is specified.',
  flags: {},
  args: [0, 1],
  async run(context, _flags, [server]) {
    const domain = registryDomain(server);
    const isKnown = await logOut(context.env, domain);
    context.print(isKnown ? `Removing login credentials for ${domain}` : `Not logged in to ${domain}`);
    return 0;
  },
});
