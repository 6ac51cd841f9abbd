/**
 * The network process: gateway, resolver, NAT and published ports of one network, an ordinary process of the user in the
 * host's namespaces.
 *
 * It gets the TAP's descriptor (the holder, or a keeper, has the same one open, so the TAP outlives this process and a
 * successor takes it over), serves frames and the control socket on one event loop, and knows of containers only what
 * the agent told it. So it may be killed at any time: whoever starts the next one tells that again. It ends by itself
 * when the holder has ended, and when it has had no container for a while.
 */
import { closeSync, ftruncateSync, rmSync, writeSync } from 'node:fs';
import { EventLoop } from 'netstack';
import { tryLock } from '../../state/lock.ts';
import { socketAddress } from '../../state/socket-address.ts';
import { processIdentity } from '../../sys/process-identity.ts';
import { releaseMemory } from '../../sys/release-memory.ts';
import { listenUnix } from '../../sys/unix-listener.ts';
import { serveControl } from './control-server.ts';
import { EndpointTable } from './endpoint-table.ts';
import { AuditLog } from './audit-log.ts';
import { Egress } from './egress.ts';
import { foreignNames } from './foreign-names.ts';
import { type Gateways, openGateways } from './gateways.ts';
import { giveUpFiles } from './give-up-files.ts';
import { alreadyServed, type ProcessConfig, processFds, readyLine } from './protocol.ts';

const standardOutput = 1;
const standardError = 2;
/** In ms: how often to look whether memory can be given back, and up to how many frames received meanwhile count as quiet. */
const tidyInterval = 30_000;
const quietFrames = 100;

function main(config: ProcessConfig): void {
  // Held as long as the process lives: one process for each network.
  const lock = tryLock(config.lock);
  if (lock === undefined) process.exit(alreadyServed);
  // For whoever finds us hanging: `start.ts` reads it.
  ftruncateSync(lock.fd);
  writeSync(lock.fd, JSON.stringify(processIdentity(process.pid)));
  giveUpFiles(config);

  const loop = new EventLoop();
  const audit = new AuditLog(config.containers);
  const egress = new Egress(
    () => loop.timers.now,
    (decision) => audit.record(decision),
  );
  const gateways = openGateways(loop, config, {
    names: (question, from) => endpoints.resolve(question, from),
    resolversOf: (address) => endpoints.resolversOf(address),
    dns: egress,
    admits: (flow) => egress.admits(flow),
    log,
  });
  const endpoints: EndpointTable = new EndpointTable({
    loop,
    gateways,
    network: config.network,
    foreign: foreignNames(config),
    egress,
    log,
  });
  const address = socketAddress(config.socket);
  const listener = listenUnix(address.path);
  address[Symbol.dispose]();

  function leave(): void {
    rmSync(config.socket, { force: true });
    process.exit(0);
  }

  const idle = loop.schedule(config.idle, leave);
  let clients = 0;
  /** Whoever has containers running has an agent, which is a client: without one they are gone, unless it is slow. */
  function watchIdleness(): void {
    if (endpoints.size === 0) idle.set(config.idle);
    else if (clients === 0) idle.set(12 * config.idle);
    else idle.cancel();
  }
  keepSmall(loop, () => received(gateways));

  /** A handler after which there may be the first or no endpoint. */
  function changing<P, R>(handler: (params: P) => R): (params: P) => R {
    return (params) => {
      try {
        return handler(params);
      } finally {
        watchIdleness();
      }
    };
  }

  serveControl(
    loop,
    listener,
    {
      hello: () => ({ identity: config.identity, pid: process.pid }),
      add: changing(({ endpoint }) => ({ ports: endpoints.add(endpoint) })),
      update: ({ endpoint }) => {
        endpoints.update(endpoint);
        return {};
      },
      remove: changing(({ container }) => {
        endpoints.remove(container);
        return {};
      }),
      synchronize: changing((params) => {
        endpoints.synchronize(params.endpoints);
        return {};
      }),
      flows: () => ({
        flows: gateways.flows().map(({ container: address, ...flow }) => ({
          ...flow,
          address,
          container: endpoints.containerOf(address),
        })),
        stats: gateways.stats(),
      }),
      status: () => ({ pid: process.pid, endpoints: endpoints.status(), stats: gateways.stats() }),
      leave: () => {
        loop.schedule(0, leave);
        return {};
      },
    },
    {
      log,
      onClients: (count) => {
        clients = count;
        watchIdleness();
      },
    },
  );
  loop.add(processFds.holder, leave);

  writeSync(standardOutput, readyLine);
  closeSync(standardOutput);
  loop.run();
}

/** Gives memory back a moment after the start, and later whenever a burst of traffic is over. */
function keepSmall(loop: EventLoop, frames: () => number): void {
  let released = -1;
  let seen = -1;
  const timer = loop.schedule(1000, () => {
    const count = frames();
    if (count !== released && (count - seen < quietFrames || released < 0)) {
      releaseMemory();
      released = count;
    }
    seen = count;
    timer.set(tidyInterval);
  });
}

function received(gateways: Gateways): number {
  return Object.values(gateways.stats()).reduce((sum, { link }) => sum + link.received, 0);
}

function log(message: string): void {
  try {
    writeSync(standardError, `${new Date().toISOString()} ${message}\n`);
  } catch {
    // A full disk takes the log, not the network.
  }
}

try {
  main(JSON.parse(process.argv[2] ?? '') as ProcessConfig);
} catch (error) {
  log(`The network process ends: ${(error as Error).stack ?? String(error)}`);
  process.exit(1);
}
