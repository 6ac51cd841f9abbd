/** A network namespace of an ordinary user with one TAP device, and a gateway process that serves it. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcessByStdio, ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Interface } from 'node:readline';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { once } from 'node:events';
import type { Settings } from './gateway-process.ts';

export const CONTAINER = '10.0.2.100';
export const GATEWAY = '10.0.2.2';
export const CONTAINER6 = 'fd00::100';

/** Why sandboxes can't be made here; undefined where they can. */
export function sandboxObstacle(): string | undefined {
  const { status, stderr } = spawnSync('unshare', ['-Urn', 'sh', '-c', 'exec 3<>/dev/net/tun && ip -V'], {
    encoding: 'utf8',
  });
  return status === 0 ? undefined : `no user and network namespace with a TAP: ${stderr}`;
}

export class Sandbox {
  readonly mtu: number;
  readonly #holder: ChildProcess;
  #gateway: ChildProcessByStdio<Writable, Readable, null> | undefined;
  #lines: Interface | undefined;
  readonly #children = new Set<ChildProcess>();
  readonly #settings: Settings;

  private constructor(holder: ChildProcess, settings: Settings) {
    this.#holder = holder;
    this.mtu = settings.mtu ?? 1500;
    this.#settings = settings;
  }

  /** Settings are those of gateway-process.ts. */
  static async open(settings: Settings = {}): Promise<Sandbox> {
    // It ends with its standard input, hence with us, however we end.
    const script = 'exec 3<>/dev/net/tun; echo ready; exec cat >/dev/null';
    const holder = spawn('unshare', ['-Urn', 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    const sandbox = new Sandbox(holder, settings);
    await sandbox.startGateway();
    const { mtu } = sandbox;
    const ipv6 =
      settings.ipv6 === true
        ? `ip addr add ${CONTAINER6}/64 dev tap0 nodad; ip -6 route replace default via fd00::2`
        : 'true';
    const result = sandbox.run(
      `ip link set lo up; ip link set tap0 mtu ${mtu} txqueuelen 20000 up; ip addr add ${CONTAINER}/${settings.prefix ?? 24} dev tap0;
       ip route add default via ${GATEWAY}; ${ipv6}`,
    );
    if (result.status !== 0) throw new Error(`Cannot set up the TAP: ${result.stderr}`);
    return sandbox;
  }

  get pid(): number {
    return this.#holder.pid!;
  }

  get gatewayPid(): number {
    return this.#gateway!.pid!;
  }

  async startGateway(): Promise<void> {
    const program = join(import.meta.dirname, 'gateway-process.ts');
    const gateway = spawn(process.execPath, [program, String(this.pid), '3', JSON.stringify(this.#settings)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#gateway = gateway;
    this.#lines = createInterface({ input: gateway.stdout });
    await once(this.#lines, 'line');
  }

  async killGateway(): Promise<void> {
    const gone = once(this.#gateway!, 'exit');
    this.#gateway?.kill('SIGKILL');
    await gone;
  }

  /** Sends a command to the gateway process and returns its answer. */
  async command<T = Record<string, unknown>>(command: unknown): Promise<T> {
    const answer = once(this.#lines!, 'line');
    this.#gateway!.stdin.write(`${JSON.stringify(command)}\n`);
    return JSON.parse((await answer)[0] as string) as T;
  }

  /** Runs a shell script inside. */
  run(
    script: string,
    options: { timeout?: number; input?: string } = {},
  ): { status: number | null; stdout: string; stderr: string } {
    return spawnSync('nsenter', this.#enter('sh', '-c', script), {
      encoding: 'utf8',
      timeout: options.timeout ?? 60_000,
      input: options.input,
      maxBuffer: 1 << 28,
    });
  }

  /** Starts a program inside; it ends with the sandbox. */
  start(program: string, ...args: string[]): ChildProcessByStdio<Writable, Readable, Readable> {
    const child = spawn('nsenter', this.#enter(program, ...args), { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#children.add(child);
    return child;
  }

  async close(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    this.#gateway?.kill('SIGKILL');
    const gone = once(this.#holder, 'exit');
    this.#holder.kill('SIGKILL');
    await gone;
  }

  #enter(...command: string[]): string[] {
    return ['-t', String(this.pid), '-U', '-n', '--preserve-credentials', ...command];
  }
}
