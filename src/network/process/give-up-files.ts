import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { ACCESS, type FileRule, restrictFiles } from '../../sys/landlock.ts';
import type { ProcessConfig } from './protocol.ts';

const readable = ACCESS.READ_FILE | ACCESS.READ_DIR;

/** Where the programs that write resolv.conf(5) keep what /etc/resolv.conf links to: it is replaced while we run. */
const resolverFolders = ['/run/systemd/resolve', '/run/resolvconf', '/run/NetworkManager', '/run/connman'];

/**
 * Gives up every file that serving the network does not take: what packets or names might get the process to do, it has
 * no way to the user's files. A network whose containers have each their TAP takes those from other processes
 * (pidfd_getfd), which the kernel refuses to whoever has restricted itself: that one goes on as it is.
 */
export function giveUpFiles({ tap, names, socket, containers }: ProcessConfig): void {
  if (tap === undefined) return;
  restrictFiles([
    { path: dirname(names), allowed: readable },
    { path: dirname(socket), allowed: ACCESS.READ_DIR | ACCESS.REMOVE_FILE | ACCESS.MAKE_SOCK },
    // Records of decisions, egress.log: written and renamed, never read.
    { path: containers, allowed: ACCESS.WRITE_FILE | ACCESS.MAKE_REG | ACCESS.REMOVE_FILE },
    ...['/etc', ...resolverFolders].map((path) => ({ path, allowed: readable })),
    ...linkedResolver(),
  ]);
}

function linkedResolver(): FileRule[] {
  try {
    return [{ path: realpathSync('/etc/resolv.conf'), allowed: ACCESS.READ_FILE }];
  } catch {
    return []; // There is none: resolv.conf(5) has a default.
  }
}
