import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeMessage, encodeMessage, type Message, MESSAGE_TYPE } from './dbus/message.ts';
import type { Value } from './dbus/signature.ts';
import { isSystemdError, SystemdManager } from './systemd-manager.ts';

const PROPERTIES = 'org.freedesktop.DBus.Properties';

/** What a test's systemd answers: values with their signature, or an error's name. */
type Answer = { signature: string; body: Value[] } | { error: string };

/** A server of the protocol, bus and systemd in one; what it is asked ends up in `asked`. */
class FakeSystemd {
  readonly asked: Message[] = [];
  answers: Record<string, Answer> = {};
  jobResult = 'done';
  /** Whether the job's end is told before the call that started it is answered. */
  signalFirst = false;
  greeting = 'OK 0123\r\n';
  #serial = 100;
  readonly server: Server = createServer((socket) => this.#serve(socket));

  #serve(socket: Socket): void {
    let buffered: Buffer = Buffer.alloc(0);
    let authenticated = false;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk]);
      if (!authenticated) {
        const text = buffered.toString('latin1');
        if (text.startsWith('\0AUTH EXTERNAL ') && text.endsWith('\r\n') && !text.includes('BEGIN'))
          socket.write(this.greeting);
        const begin = buffered.indexOf('BEGIN\r\n');
        if (begin < 0) return;
        authenticated = true;
        buffered = buffered.subarray(begin + 7);
      }
      for (let next = decodeMessage(buffered); next !== undefined; next = decodeMessage(buffered)) {
        buffered = buffered.subarray(next.length);
        this.#answer(socket, next.message);
      }
    });
  }

  #answer(socket: Socket, message: Message): void {
    this.asked.push(message);
    const answer = this.answers[message.member!] ?? { signature: '', body: [] };
    const reply =
      'error' in answer
        ? { type: MESSAGE_TYPE.ERROR, errorName: answer.error, signature: 's', body: ['says no'] }
        : { type: MESSAGE_TYPE.METHOD_RETURN, ...answer };
    const bytes = [encodeMessage({ serial: ++this.#serial, replySerial: message.serial, ...reply })];
    if (message.member === 'StartTransientUnit' && !('error' in answer)) {
      const other = this.#jobRemoved('/job/other', 'failed');
      const ours = this.#jobRemoved('/job/1', this.jobResult);
      bytes.push(other, ours);
      if (this.signalFirst) bytes.reverse();
    }
    // In pieces, as a stream may come.
    for (const part of bytes) {
      socket.write(part.subarray(0, 5));
      socket.write(part.subarray(5));
    }
  }

  #jobRemoved(job: string, result: string): Buffer {
    return encodeMessage({
      type: MESSAGE_TYPE.SIGNAL,
      serial: ++this.#serial,
      path: '/org/freedesktop/systemd1',
      interface: 'org.freedesktop.systemd1.Manager',
      member: 'JobRemoved',
      signature: 'uoss',
      body: [1, job, 'trun.scope', result],
    });
  }
}

let folder = '';
let systemd: FakeSystemd;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'systemd-'));
  mkdirSync(join(folder, 'systemd'));
  systemd = new FakeSystemd();
  systemd.answers = {
    Get: { signature: 'v', body: [{ signature: 's', value: '/user.slice/user-7.slice/user@7.service' }] },
    StartTransientUnit: { signature: 'o', body: ['/job/1'] },
    GetUnit: { signature: 'o', body: ['/unit/trun_2escope'] },
  };
});
afterEach(() => {
  systemd.server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function connect(socket: string): Promise<SystemdManager> {
  await new Promise<void>((resolve) => systemd.server.listen(join(folder, socket), resolve));
  return SystemdManager.connect(7, { XDG_RUNTIME_DIR: folder });
}

describe("the user's systemd", () => {
  test.each([
    ['bus', false],
    ['bus', true],
    ['systemd/private', false],
  ])('starts a scope, over %s (told early: %s)', async (socket, signalFirst) => {
    systemd.signalFirst = signalFirst;
    using manager = await connect(socket);
    expect(manager.controlGroup).toBe('/user.slice/user-7.slice/user@7.service');
    await manager.startScope('trun.scope', 'Containers', [42]);
    const members = systemd.asked.map(({ member }) => member);
    const viaBus = ['Hello', 'Get', 'AddMatch', 'Subscribe', 'StartTransientUnit'];
    expect(members).toEqual(socket === 'bus' ? viaBus : ['Get', 'StartTransientUnit']);
    const start = systemd.asked.at(-1)!;
    expect(start.destination).toBe(socket === 'bus' ? 'org.freedesktop.systemd1' : undefined);
    expect(start.body.slice(0, 2)).toEqual(['trun.scope', 'fail']);
    expect(start.body[2]).toContainEqual(['PIDs', { signature: 'au', value: [42] }]);
    expect(start.body[2]).toContainEqual(['Delegate', { signature: 'b', value: true }]);
  });

  test('tells of a scope that is there, and of one that could not start', async () => {
    using manager = await connect('bus');
    systemd.answers['StartTransientUnit'] = { error: 'org.freedesktop.systemd1.UnitExists' };
    const exists = await manager.startScope('trun.scope', '', [1]).catch((error: unknown) => error);
    expect(isSystemdError(exists, 'UnitExists')).toBe(true);
    expect(isSystemdError(exists, 'NoSuchUnit')).toBe(false);
    systemd.answers['StartTransientUnit'] = { signature: 'o', body: ['/job/1'] };
    systemd.jobResult = 'failed';
    await expect(manager.startScope('trun.scope', '', [1])).rejects.toThrow(
      'systemd could not start trun.scope: failed',
    );
  });

  test("joins a scope, and knows the scope's cgroup", async () => {
    using manager = await connect('bus');
    systemd.answers['Get'] = { signature: 'v', body: [{ signature: 's', value: '/a/trun.scope' }] };
    expect(await manager.scopeControlGroup('trun.scope')).toBe('/a/trun.scope');
    expect(systemd.asked.at(-1)).toMatchObject({
      path: '/unit/trun_2escope',
      interface: PROPERTIES,
      body: ['org.freedesktop.systemd1.Scope', 'ControlGroup'],
    });
    await manager.attach('trun.scope', '/agent', [5]);
    expect(systemd.asked.at(-1)).toMatchObject({
      member: 'AttachProcessesToUnit',
      body: ['trun.scope', '/agent', [5]],
    });
  });

  test('is looked for in the next place when a bus has none', async () => {
    systemd.answers['Hello'] = { error: 'org.freedesktop.DBus.Error.ServiceUnknown' };
    await expect(connect('bus')).rejects.toThrow(`${folder}/bus: says no`);
    await using server = createServer((socket) => socket.resume().end('what?\r\n'));
    await new Promise<void>((resolve) => server.listen(join(folder, 'other'), resolve));
    systemd.answers['Hello'] = { signature: 's', body: [':1.5'] };
    const env = { XDG_RUNTIME_DIR: folder, DBUS_SESSION_BUS_ADDRESS: `unix:path=${folder}/other` };
    using manager = await SystemdManager.connect(7, env);
    expect(manager.controlGroup).toMatch(/user@7/);
  });

  test('may not be there', async () => {
    await expect(SystemdManager.connect(7, { XDG_RUNTIME_DIR: folder })).rejects.toThrow('');
    systemd.greeting = 'REJECTED EXTERNAL\r\n';
    await expect(connect('bus')).rejects.toThrow('D-Bus server refuses uid 7: REJECTED EXTERNAL');
  });

  test('may end a connection at any time', async () => {
    using manager = await connect('bus');
    systemd.server.on('connection', (socket) => socket.destroy());
    manager.close();
    await expect(manager.attach('trun.scope', '/agent', [5])).rejects.toThrow();
  });
});
