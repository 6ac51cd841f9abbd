/** What has to be done inside the other process's namespaces. Node has threads, so it can't enter them: nsenter(1) does. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readlinkSync } from 'node:fs';
import { takeFd } from 'netstack';

/** The descriptor on which the child below opens /dev/net/tun. */
const TUN_FD = 3;

function enter(pid: number, script: string): string[] {
  if (!existsSync(`/proc/${pid}`)) throw new Error(`There is no process ${pid}`);
  // Entering the user namespace that we are in already is an error (setns(2), EINVAL).
  const same = readlinkSync(`/proc/${pid}/ns/user`) === readlinkSync('/proc/self/ns/user');
  return ['-t', String(pid), ...(same ? [] : ['-U', '--preserve-credentials']), '-n', 'sh', '-c', script];
}

/** Opens /dev/net/tun in the network namespace of `pid`: it decides where the TAP appears. */
export async function openTunIn(pid: number): Promise<number> {
  const opener = spawn('nsenter', enter(pid, `exec ${TUN_FD}<>/dev/net/tun && echo ready && read line`), {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let complaint = '';
  opener.stderr.on('data', (data) => (complaint += String(data)));
  const ready = await Promise.race([
    once(opener.stdout, 'data').then(() => true),
    once(opener, 'close').then(() => false),
  ]);
  if (!ready) throw new Error(`Cannot open /dev/net/tun in the namespaces of process ${pid}: ${complaint.trim()}`);
  try {
    return takeFd(opener.pid!, TUN_FD);
  } finally {
    opener.stdin.end('\n');
  }
}

/** Gives the interface its MTU and address, and makes it the default route. */
export function configureInterface(
  pid: number,
  {
    name,
    mtu,
    address,
    prefix,
    gateway,
  }: { name: string; mtu: number; address: string; prefix: number; gateway: string },
): void {
  const commands = [
    'ip link set lo up',
    `ip link set dev "$1" mtu ${mtu} txqueuelen 20000 up`,
    `ip addr add ${address}/${prefix} dev "$1"`,
    `ip route add default via ${gateway} dev "$1"`,
  ];
  const { status, stderr } = spawnSync('nsenter', [...enter(pid, commands.join(' && ')), 'sh', name], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`Cannot configure ${name}: ${stderr.trim()}`);
}
