/** What has to be done inside the other namespaces. Node has threads, so it can't enter them: nsenter(1) does. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readlinkSync } from 'node:fs';
import { takeFd } from 'netstack';

/** The descriptor on which the child below opens /dev/net/tun. */
const TUN_FD = 3;

/** A network namespace, and the user namespace that owns it: of a process, or by their paths. */
export type Target = { readonly pid: number } | { readonly net: string; readonly user: string | undefined };

function enterUser(path: string): string[] {
  if (!existsSync(path)) throw new Error(`There is no namespace at ${path}`);
  // Entering the user namespace that we are in already is an error (setns(2), EINVAL).
  return readlinkSync(path) === readlinkSync('/proc/self/ns/user') ? [] : [`--user=${path}`, '--preserve-credentials'];
}

function enter(target: Target, script: string): string[] {
  const command = ['sh', '-c', script];
  if ('net' in target) {
    if (!existsSync(target.net)) throw new Error(`There is no namespace at ${target.net}`);
    return [...(target.user === undefined ? [] : enterUser(target.user)), `--net=${target.net}`, ...command];
  }
  const { pid } = target;
  if (!existsSync(`/proc/${pid}`)) throw new Error(`There is no process ${pid}`);
  return [...enterUser(`/proc/${pid}/ns/user`), `--net=/proc/${pid}/ns/net`, ...command];
}

/** Opens /dev/net/tun in the network namespace: it decides where the TAP appears. */
export async function openTunIn(target: Target): Promise<number> {
  const opener = spawn('nsenter', enter(target, `exec ${TUN_FD}<>/dev/net/tun && echo ready && read line`), {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let complaint = '';
  opener.stderr.on('data', (data) => (complaint += String(data)));
  const ready = await Promise.race([
    once(opener.stdout, 'data').then(() => true),
    once(opener, 'close').then(() => false),
  ]);
  if (!ready) throw new Error(`Cannot open /dev/net/tun in the namespace: ${complaint.trim()}`);
  try {
    return takeFd(opener.pid!, TUN_FD);
  } finally {
    opener.stdin.end('\n');
  }
}

export interface InterfaceSettings {
  readonly name: string;
  readonly mtu: number;
  readonly mac: string | undefined;
  readonly address: string;
  readonly prefix: number;
  readonly gateway: string;
}

/** Gives the interface its MTU and address, and makes it the default route. */
export function configureInterface(
  target: Target,
  { name, mtu, mac, address, prefix, gateway }: InterfaceSettings,
): void {
  const commands = [
    'ip link set lo up',
    ...(mac === undefined ? [] : [`ip link set dev "$1" address ${mac}`]),
    `ip link set dev "$1" mtu ${mtu} txqueuelen 20000 up`,
    `ip addr add ${address}/${prefix} dev "$1"`,
    `ip route add default via ${gateway} dev "$1"`,
  ];
  const { status, stderr } = spawnSync('nsenter', [...enter(target, commands.join(' && ')), 'sh', name], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`Cannot configure ${name}: ${stderr.trim()}`);
}
