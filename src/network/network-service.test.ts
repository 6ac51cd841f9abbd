import { expect, test } from 'vitest';
import { NetworkService } from './network-service.ts';
import type { NetworkProcessClient } from './process/client.ts';
import type { ProcessEndpoint } from './process/protocol.ts';

/** Network processes that can be killed, and what they were told. */
class Processes {
  readonly calls: string[][] = [];
  #close: (() => void)[] = [];
  #alive = 0;
  failures = 0;
  /** Whether one runs that this service did not start. */
  isRunning = false;

  connect(): Promise<NetworkProcessClient> {
    if (this.failures > 0) {
      this.failures--;
      return Promise.reject(new Error('no such program'));
    }
    const calls: string[] = [];
    this.calls.push(calls);
    const number = ++this.#alive;
    return Promise.resolve({
      call: (
        method: string,
        params: { endpoint?: ProcessEndpoint; endpoints?: ProcessEndpoint[]; container?: string },
      ) => {
        if (number !== this.#alive) return Promise.reject(Object.assign(new Error('ended'), { code: 'ECONNRESET' }));
        const who = params.endpoints?.map(({ container }) => container).join() ?? params.endpoint?.container;
        calls.push(`${method} ${who ?? params.container ?? ''}`.trim());
        return Promise.resolve({ ports: [] });
      },
      onClose: (listener: () => void) => this.#close.push(listener),
      close: () => undefined,
    } as unknown as NetworkProcessClient);
  }

  /** The process is dead; the client hears of it some time later. */
  die(): void {
    this.#alive++;
  }

  kill(): void {
    this.#alive++;
    for (const listener of this.#close.splice(0)) listener();
  }
}

function service(processes: Processes, log: (message: string) => void = () => undefined): NetworkService {
  function find(): Promise<NetworkProcessClient | undefined> {
    return processes.isRunning ? processes.connect() : Promise.resolve(undefined);
  }
  return new NetworkService({ hasHub: () => true, find, connect: () => processes.connect(), log });
}

function endpoint(container: string): ProcessEndpoint {
  return { container, address: '10.88.0.2', mac: '02:42:0a:58:00:02', names: [], ports: [] };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

test('one process for all, started when it is first needed', async () => {
  const processes = new Processes();
  const network = service(processes);
  await network.remove('nobody');
  expect(processes.calls).toHaveLength(0);
  await Promise.all([network.add(endpoint('a')), network.add(endpoint('b'))]);
  await network.remove('a');
  expect(processes.calls).toEqual([['synchronize', 'add a', 'add b', 'remove a']]);
});

test('a killed process is replaced at once and told who is in service', async () => {
  const processes = new Processes();
  const network = service(processes);
  await network.add(endpoint('a'));
  await network.add(endpoint('b'));
  await network.remove('a');
  processes.kill();
  await settle();
  expect(processes.calls[1]).toEqual(['synchronize b']);
});

test('with nobody in service it is not replaced, until it is needed', async () => {
  const processes = new Processes();
  const network = service(processes);
  await network.add(endpoint('a'));
  await network.remove('a');
  processes.kill();
  await settle();
  expect(processes.calls).toHaveLength(1);
  await network.add(endpoint('b'));
  expect(processes.calls[1]).toEqual(['synchronize', 'add b']);
});

test('a request that the process did not live to answer goes to the next one', async () => {
  const processes = new Processes();
  const network = service(processes);
  await network.add(endpoint('a'));
  processes.die();
  const adding = network.add(endpoint('b'));
  processes.kill();
  await adding;
  expect(processes.calls[1]).toEqual(['synchronize a', 'add b']);
});

test('recovery tells what runs, and starts nothing for nobody', async () => {
  const processes = new Processes();
  const network = service(processes);
  await network.recover([]);
  expect(processes.calls).toHaveLength(0);
  await network.recover([endpoint('a')]);
  expect(processes.calls).toEqual([['synchronize a']]);
});

test('a process that runs is told when there is nobody left', async () => {
  const processes = new Processes();
  processes.isRunning = true;
  await service(processes).recover([]);
  expect(processes.calls).toEqual([['synchronize']]);
});

test('a process that cannot be started is an error for who needs it, and tried again for who runs', async () => {
  const processes = new Processes();
  const messages: string[] = [];
  const network = service(processes, (message) => messages.push(message));
  processes.failures = 1;
  await expect(network.add(endpoint('a'))).rejects.toThrow('no such program');
  await network.add(endpoint('a'));
  processes.failures = 2;
  processes.kill();
  await expect.poll(() => processes.calls[1]).toEqual(['synchronize a']);
  expect(messages).toEqual(Array(2).fill('Cannot restart the network process: no such program'));
});
