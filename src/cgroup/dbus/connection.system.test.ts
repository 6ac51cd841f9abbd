import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { unixPaths } from './address.ts';
import { DBusConnection, DBusError, type MethodCall } from './connection.ts';

const program = '/usr/bin/dbus-daemon';
const bus = 'org.freedesktop.DBus';

function busCall(member: string, signature?: string, body: string[] = []): MethodCall {
  const target = { destination: bus, path: '/org/freedesktop/DBus', interface: bus, member };
  return signature === undefined ? target : { ...target, signature, body };
}

describe('a real message bus', () => {
  let daemon: ChildProcess | undefined;
  let address = '';

  beforeEach(({ skip }) => skip(!existsSync(program), 'dbus-daemon is not installed (Debian: dbus-daemon)'));
  beforeAll(async () => {
    if (!existsSync(program)) return;
    daemon = spawn(program, ['--session', '--nofork', '--print-address=1'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [chunk] = (await once(daemon.stdout!, 'data')) as [Buffer];
    address = chunk.toString().trim();
  });
  afterAll(() => daemon?.kill());

  test('knows us, answers, and sends signals', async () => {
    using connection = await DBusConnection.open(unixPaths(address)[0]!, process.getuid!(), 5000);
    const [name] = await connection.call(busCall('Hello'), 5000);
    expect(name).toMatch(/^:1\./);
    const [names] = await connection.call(busCall('ListNames'), 5000);
    expect(names as string[]).toContain(name);
    const [uid] = await connection.call(busCall('GetConnectionUnixUser', 's', [name as string]), 5000);
    expect(uid).toBe(process.getuid!());

    await connection.call(busCall('AddMatch', 's', ["type='signal',member='NameOwnerChanged'"]), 5000);
    const signal = Promise.withResolvers<unknown>();
    connection.onSignal(({ member, body }) => {
      if (member === 'NameOwnerChanged') signal.resolve(body);
    });
    using other = await DBusConnection.open(unixPaths(address)[0]!, process.getuid!(), 5000);
    const [second] = await other.call(busCall('Hello'), 5000);
    expect(await signal.promise).toEqual([second, '', second]);
  });

  test('refuses what it does not have', async () => {
    using connection = await DBusConnection.open(unixPaths(address)[0]!, process.getuid!(), 5000);
    await connection.call(busCall('Hello'), 5000);
    const failure = await connection
      .call(busCall('GetNameOwner', 's', ['org.example.None']), 5000)
      .catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(DBusError);
    expect((failure as DBusError).name).toBe('org.freedesktop.DBus.Error.NameHasNoOwner');
  });

  test('refuses another user', async () => {
    const other = DBusConnection.open(unixPaths(address)[0]!, process.getuid!() + 1, 5000);
    await expect(other).rejects.toThrow(/D-Bus server refuses uid/);
  });
});
