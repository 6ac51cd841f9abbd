import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { unixPaths } from './dbus/address.ts';
import { DBusConnection, DBusError, type MethodCall } from './dbus/connection.ts';
import type { Message } from './dbus/message.ts';
import type { Value, Variant } from './dbus/signature.ts';

const SYSTEMD = 'org.freedesktop.systemd1';
const MANAGER = `${SYSTEMD}.Manager`;
const MANAGER_PATH = '/org/freedesktop/systemd1';
const TIMEOUT_MS = 15_000;

/** A socket behind which a systemd may be found: a message bus, or systemd's own, which also works without a bus. */
interface Endpoint {
  path: string;
  bus: boolean;
}

/** The caller's systemd: the user's own instance, for root the system's. systemd.directives(7), org.freedesktop.systemd1(5) */
export class SystemdManager {
  /** The manager's own cgroup, as /proc/PID/cgroup writes it: all its units are below. */
  readonly controlGroup: string;
  readonly #connection: DBusConnection;
  readonly #bus: boolean;

  private constructor(connection: DBusConnection, bus: boolean, controlGroup: string) {
    this.#connection = connection;
    this.#bus = bus;
    this.controlGroup = controlGroup;
  }

  /** Connects by the first way that leads to a systemd; throws, saying what was tried, where none does. */
  static async connect(uid: number, env: NodeJS.ProcessEnv): Promise<SystemdManager> {
    const failures: string[] = [];
    for (const endpoint of endpoints(uid, env)) {
      try {
        return await SystemdManager.#connectTo(endpoint, uid);
      } catch (error) {
        failures.push(`${endpoint.path}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    throw new Error(failures.join('; '));
  }

  static async #connectTo({ path, bus }: Endpoint, uid: number): Promise<SystemdManager> {
    const connection = await DBusConnection.open(path, uid, TIMEOUT_MS);
    try {
      if (bus) await connection.call(busCall('Hello'), TIMEOUT_MS);
      const property = await connection.call(
        {
          ...systemdCall(bus, MANAGER_PATH, 'org.freedesktop.DBus.Properties', 'Get'),
          signature: 'ss',
          body: [MANAGER, 'ControlGroup'],
        },
        TIMEOUT_MS,
      );
      return new SystemdManager(connection, bus, textOf(property));
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /**
   * Starts the scope `name`, delegated to us, with the processes `pids` in it, and returns once they are there. Throws
   * `DBusError` with a name ending in `.UnitExists` where there is one. `more` are further properties (systemd.scope(5)).
   */
  async startScope(
    name: string,
    description: string,
    pids: readonly number[],
    more: readonly (readonly [name: string, value: Variant])[] = [],
  ): Promise<void> {
    const finished = await this.#watchJobs();
    try {
      const properties = [
        ['Description', { signature: 's', value: description }],
        ['PIDs', { signature: 'au', value: pids }],
        ['Delegate', { signature: 'b', value: true }],
        ['CollectMode', { signature: 's', value: 'inactive-or-failed' }],
        ...more,
      ] as const;
      const [job] = await this.#manager('StartTransientUnit', 'ssa(sv)a(sa(sv))', [name, 'fail', properties, []]);
      const result = await finished.result(job as string);
      if (result !== 'done') throw new Error(`systemd could not start ${name}: ${result}`);
    } finally {
      finished.stop();
    }
  }

  /** Moves `pids` to the cgroup `subgroup` (as `/agent`) of a scope of ours that runs. */
  async attach(scope: string, subgroup: string, pids: readonly number[]): Promise<void> {
    await this.#manager('AttachProcessesToUnit', 'ssau', [scope, subgroup, pids]);
  }

  /** Stops a unit, which ends what is in it. */
  async stopUnit(name: string): Promise<void> {
    await this.#manager('StopUnit', 'ss', [name, 'replace']);
  }

  /** The cgroup of a scope that runs; throws `DBusError` with a name ending in `.NoSuchUnit` where none does. */
  async scopeControlGroup(scope: string): Promise<string> {
    const [unit] = await this.#manager('GetUnit', 's', [scope]);
    return textOf(
      await this.#call(unit as string, 'org.freedesktop.DBus.Properties', 'Get', 'ss', [
        `${SYSTEMD}.Scope`,
        'ControlGroup',
      ]),
    );
  }

  close(): void {
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Listens from now on to jobs that end, so that none is missed that ends before we know its name. */
  async #watchJobs(): Promise<{ result: (job: string) => Promise<string>; stop: () => void }> {
    const results = new Map<string, string>();
    let notify: (() => void) | undefined;
    const stop = this.#connection.onSignal(({ interface: from, member, body }: Message) => {
      if (from !== MANAGER || member !== 'JobRemoved') return;
      const [, job, , result] = body as [number, string, string, string];
      results.set(job, result);
      notify?.();
    });
    if (this.#bus) {
      const rule = `type='signal',sender='${SYSTEMD}',interface='${MANAGER}',member='JobRemoved'`;
      await this.#connection.call({ ...busCall('AddMatch'), signature: 's', body: [rule] }, TIMEOUT_MS);
      // A manager sends no signals to the bus before somebody has subscribed.
      await this.#manager('Subscribe', '', []);
    }

    async function result(job: string): Promise<string> {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      const late = setTimeout(() => reject(new Error(`systemd did not finish within ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
      function settle(): void {
        const known = results.get(job);
        if (known !== undefined) resolve(known);
      }
      notify = settle;
      settle();
      return promise.finally(() => clearTimeout(late));
    }

    return { result, stop };
  }

  async #manager(member: string, signature: string, body: readonly Value[]): Promise<readonly Value[]> {
    return this.#call(MANAGER_PATH, MANAGER, member, signature, body);
  }

  async #call(
    path: string,
    from: string,
    member: string,
    signature: string,
    body: readonly Value[],
  ): Promise<readonly Value[]> {
    const target = systemdCall(this.#bus, path, from, member);
    return this.#connection.call(signature === '' ? target : { ...target, signature, body }, TIMEOUT_MS);
  }
}

/** Whether `error` is systemd's error `name`, as `UnitExists`. */
export function isSystemdError(error: unknown, name: string): boolean {
  return error instanceof DBusError && error.name === `${SYSTEMD}.${name}`;
}

/** The user's run-time folder, also where a login without PAM did not name it. */
export function runtimeFolder(uid: number, env: NodeJS.ProcessEnv): string {
  const named = env.XDG_RUNTIME_DIR;
  return named === undefined || named === '' ? `/run/user/${uid}` : named;
}

function endpoints(uid: number, env: NodeJS.ProcessEnv): Endpoint[] {
  if (uid === 0) {
    const system = env.DBUS_SYSTEM_BUS_ADDRESS ?? 'unix:path=/run/dbus/system_bus_socket';
    return present([...busEndpoints(system), { path: '/run/systemd/private', bus: false }]);
  }
  const folder = runtimeFolder(uid, env);
  return present([
    ...busEndpoints(env.DBUS_SESSION_BUS_ADDRESS ?? ''),
    { path: join(folder, 'bus'), bus: true },
    { path: join(folder, 'systemd/private'), bus: false },
  ]);
}

function busEndpoints(addresses: string): Endpoint[] {
  return unixPaths(addresses).map((path) => ({ path, bus: true }));
}

function present(candidates: readonly Endpoint[]): Endpoint[] {
  return candidates.filter(
    ({ path }, i) =>
      candidates.findIndex((other) => other.path === path) === i && (path.startsWith('\0') || existsSync(path)),
  );
}

function busCall(member: string): MethodCall {
  const bus = 'org.freedesktop.DBus';
  return { destination: bus, path: '/org/freedesktop/DBus', interface: bus, member };
}

function systemdCall(bus: boolean, path: string, from: string, member: string): MethodCall {
  return { ...(bus ? { destination: SYSTEMD } : {}), path, interface: from, member };
}

function textOf([property]: readonly Value[]): string {
  return (property as Variant).value as string;
}
