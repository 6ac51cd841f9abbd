import { InvalidInput } from '../invalid-input.ts';

/** Parameters that an IPC namespace has its own of (ipc_namespaces(7)). */
const OF_IPC = [
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
];

/** Reads `--sysctl name=value`: only what the container has its own of. Slashes may stand for dots. */
export function parseSysctl(text: string): readonly [name: string, value: string] {
  const equals = text.indexOf('=');
  const name = text.slice(0, equals).replaceAll('/', '.');
  // What becomes a path below /proc/sys has no empty and no special names in it.
  if (equals < 1 || !/^[a-z0-9_-]+(\.[a-zA-Z0-9_-]+)+$/.test(name)) {
    throw new InvalidInput(`sysctl '${text}' is not of the form name=value`);
  }
  if (!isOwn(name))
    throw new InvalidInput(`sysctl '${text}' is not allowed: it is not of a namespace of the container's own`);
  return [name, text.slice(equals + 1)];
}

/** Docker's rules for parameters of namespaces that are the host's. Throws. */
export function checkSysctls(
  names: readonly string[],
  host: { readonly network: boolean; readonly ipc: boolean },
): void {
  for (const name of names) {
    if (name.startsWith('net.') ? host.network : host.ipc) {
      const what = name.startsWith('net.') ? 'network' : 'ipc';
      throw new InvalidInput(`sysctl '${name}' not allowed as ${what} namespace is not the container's own`);
    }
  }
}

function isOwn(name: string): boolean {
  return name.startsWith('net.') || name.startsWith('fs.mqueue.') || OF_IPC.includes(name);
}
