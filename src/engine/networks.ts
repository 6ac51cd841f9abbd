/** The use cases of networks: make, remove, join and leave. The agent's; what only reads is in network-queries.ts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrafficRules } from '../base/traffic.ts';
import type { NetworkRequest } from '../network/create-network.ts';
import { predefinedNetworks } from '../network/create-network.ts';
import { attachmentsOf, namesOn, nextInterface, trafficOf } from './attachments.ts';
import { checkAttachment } from './check-networks.ts';
import { type Container, findContainer, listContainers, type NetworkAttachment, readContainer } from './container.ts';
import { recordContainerEvent } from './container-event.ts';
import { type EngineContext, saveConfig, saveState } from './context.ts';
import { checkName } from './create.ts';
import { EngineError } from './engine-error.ts';
import { recordEvent } from './event-log.ts';
import { findNetwork } from './inspect-networks.ts';
import type { NetworkFlows } from './requests.ts';
import { recordMembership } from './network-event.ts';
import { asEngineError } from './network-failure.ts';
import { endpointOf, endpointState, findDriver, writeEtcFile } from './networking.ts';

/** Makes a network. Throws in Docker's words. */
export async function createNetwork(context: EngineContext, request: NetworkRequest): Promise<{ id: string }> {
  const networks = await context.networks();
  try {
    const { id, name } = networks.create(request);
    recordEvent(context.paths, 'network', 'create', id, { name, type: 'bridge' });
    return { id };
  } catch (error) {
    throw asEngineError(error);
  }
}

/** Removes a network that no running container is on. Throws NOT_FOUND and CONFLICT in Docker's words. */
export async function removeNetwork(context: EngineContext, nameOrId: string, force: boolean): Promise<void> {
  let network;
  try {
    network = findNetwork(context.paths, nameOrId);
  } catch (error) {
    if (force && error instanceof EngineError && error.code === 'NOT_FOUND') return;
    throw error;
  }
  const { name, id } = network;
  if ((predefinedNetworks as readonly string[]).includes(name)) {
    throw new EngineError('CONFLICT', `${name} is a pre-defined network and cannot be removed`);
  }
  const users = listContainers(context.paths).filter(({ state }) => state.network?.endpoints[name] !== undefined);
  if (users.length > 0) {
    const listed = users.map(({ config }) => `name:"${config.name}" id:"${config.id.slice(0, 12)}"`).join(', ');
    throw new EngineError(
      'CONFLICT',
      `error while removing network: network ${name} (${id.slice(0, 12)}) has active endpoints (${listed})`,
    );
  }
  const networks = await context.networks();
  try {
    await networks.remove(name);
    recordEvent(context.paths, 'network', 'destroy', id, { name, type: 'bridge' });
  } catch (error) {
    throw asEngineError(error);
  }
}

/** Joins a network: at once where the container runs, else at its next start. */
export async function connectNetwork(
  context: EngineContext,
  nameOrId: string,
  attachment: NetworkAttachment,
): Promise<void> {
  const { id } = findContainer(context.paths, nameOrId).config;
  await context.exclusive(id, async () => {
    const container = readOrThrow(context, id);
    const wanted = { ...attachment, network: findNetwork(context.paths, attachment.network).name };
    checkConnect(container, wanted.network);
    checkAttachment(context.paths, wanted);
    const before = container.config;
    // A container that was on nothing but `none` is there no more.
    const others = attachmentsOf(before).filter(({ network }) => network !== 'none');
    const after: Container = { ...container, config: { ...before, networks: [...others, wanted] } };
    const isRunning = container.state.status === 'running';
    saveConfig(container.folder, after.config);
    try {
      if (isRunning) await plugIn(context, after, wanted);
    } catch (error) {
      saveConfig(container.folder, before);
      throw asEngineError(error);
    }
    // Else its start says so.
    if (isRunning) recordMembership(context, id, wanted.network, 'connect');
  });
}

async function plugIn(context: EngineContext, container: Container, attachment: NetworkAttachment): Promise<void> {
  const { id } = container.config;
  const { process: first, network: current = { endpoints: {}, ports: [] } } = container.state;
  const driver = await findDriver(context, attachment.network);
  const isGateway = current.outward === undefined && driver.isOutward;
  const name = nextInterface(Object.values(current.endpoints));
  const endpoint = await driver.prepare(endpointOf(context, container, attachment, name, isGateway));
  try {
    await driver.plug(id, first!.pid);
  } catch (error) {
    await driver.remove(id).catch(() => undefined);
    throw error;
  }
  if (isGateway) writeEtcFile(container, 'resolv.conf', endpoint.files.resolvConf);
  writeEtcFile(container, 'hosts', readFileSync(join(container.folder, 'hosts'), 'utf8') + endpoint.ownHosts);
  saveState(container, {
    ...container.state,
    network: {
      endpoints: { ...current.endpoints, [driver.network]: endpointState(endpoint) },
      ...(isGateway ? { outward: driver.network } : current.outward === undefined ? {} : { outward: current.outward }),
      ports: [...current.ports, ...endpoint.ports],
    },
  });
}

function checkConnect({ config }: Container, network: string): void {
  const { network: mode } = config.request;
  if (mode === 'host' || network === 'host') {
    throw new EngineError(
      'CONFLICT',
      'container cannot be disconnected from host network or connected to host network',
    );
  }
  if (mode.startsWith('container:')) {
    throw new EngineError(
      'CONFLICT',
      'container sharing network namespace with another container or host cannot be connected to any other network',
    );
  }
  const networks = attachmentsOf(config).map((attachment) => attachment.network);
  if (network === 'none' || networks.includes('none')) {
    throw new EngineError(
      'CONFLICT',
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
  }
  if (networks.includes(network)) {
    throw new EngineError('CONFLICT', `endpoint with name ${config.name} already exists in network ${network}`);
  }
}

/** Leaves a network: at once where the container runs. With `force` a container that is not on it is no error. */
export async function disconnectNetwork(
  context: EngineContext,
  network: string,
  nameOrId: string,
  force: boolean,
): Promise<void> {
  const { id } = findContainer(context.paths, nameOrId).config;
  const name = findNetwork(context.paths, network).name;
  await context.exclusive(id, async () => {
    const container = readOrThrow(context, id);
    const { config, state, folder } = container;
    if (name === 'host' || config.request.network === 'host') {
      throw new EngineError(
        'CONFLICT',
        'container cannot be disconnected from host network or connected to host network',
      );
    }
    const attachments = attachmentsOf(config);
    if (!attachments.some((attachment) => attachment.network === name)) {
      if (force) return;
      throw new EngineError('CONFLICT', `container ${id} is not connected to network ${name}`);
    }
    const networks = attachments.filter((attachment) => attachment.network !== name);
    const after = { ...container, config: { ...config, networks } };
    const driver = await findDriver(context, name);
    if (state.status === 'running') await plugOut(context, after, name);
    saveConfig(folder, after.config);
    await driver.remove(id);
    recordMembership(context, id, name, 'disconnect');
  });
}

/** @param container as it is to be */
async function plugOut(context: EngineContext, container: Container, network: string): Promise<void> {
  const { id } = container.config;
  const { process: first, network: current = { endpoints: {}, ports: [] } } = container.state;
  const driver = await findDriver(context, network);
  await driver.unplug(id, first!.pid);
  // Ports are free for the network that takes their place.
  await driver.detach(id);
  const { [network]: left, ...endpoints } = current.endpoints;
  const own = new Set([left?.address, left?.address6]);
  const hosts = readFileSync(join(container.folder, 'hosts'), 'utf8').split('\n');
  writeEtcFile(container, 'hosts', hosts.filter((line) => !own.has(line.split('\t')[0]) || line === '').join('\n'));
  const stays = current.outward !== network;
  const { outward, ports } = stays ? current : await promoteNext(context, container);
  saveState(container, {
    ...container.state,
    network: { endpoints, ...(outward === undefined ? {} : { outward }), ports },
  });
}

/** Makes the next network that leads outside the container's way out. */
async function promoteNext(
  context: EngineContext,
  container: Container,
): Promise<Pick<NonNullable<Container['state']['network']>, 'outward' | 'ports'>> {
  for (const attachment of attachmentsOf(container.config)) {
    const driver = await findDriver(context, attachment.network);
    const endpoint = container.state.network?.endpoints[attachment.network];
    if (!driver.isOutward || endpoint === undefined) continue;
    const request = endpointOf(context, container, attachment, endpoint.interface, true);
    const { ports, resolvConf } = await driver.promote(request, container.state.process!.pid);
    writeEtcFile(container, 'resolv.conf', resolvConf);
    return { outward: attachment.network, ports };
  }
  return { ports: [] };
}

/** Another name for a container; those of its networks find it by that one. */
export async function renameContainer(context: EngineContext, nameOrId: string, wanted: string): Promise<void> {
  const { id } = findContainer(context.paths, nameOrId).config;
  await context.exclusive(id, async () => {
    const { folder, config } = readOrThrow(context, id);
    checkName(wanted, new Map(listContainers(context.paths).map((each) => [each.config.name, each.config.id])));
    const renamed = { ...config, name: wanted.replace(/^\//, '') };
    saveConfig(folder, renamed);
    recordContainerEvent(context, renamed, 'rename', { oldName: `/${config.name}` });
    for (const attachment of attachmentsOf(renamed)) {
      const driver = await findDriver(context, attachment.network);
      await driver.change(id, { names: namesOn(renamed, attachment) });
    }
  });
}

/** Holds a container to other rules of traffic from now on: those that are given replace its own of that kind. */
export async function limitTraffic(context: EngineContext, nameOrId: string, changes: TrafficRules): Promise<void> {
  const { id } = findContainer(context.paths, nameOrId).config;
  await context.exclusive(id, async () => {
    const { folder, config } = readOrThrow(context, id);
    const attachments = attachmentsOf(config);
    if (attachments.length === 0 || attachments.some(({ network }) => network === 'host')) {
      throw new EngineError('CONFLICT', `container ${config.name} has no network of its own to be limited`);
    }
    const traffic = { ...trafficOf(config), ...changes };
    saveConfig(folder, { ...config, traffic });
    for (const { network } of attachments) await (await findDriver(context, network)).change(id, { traffic });
  });
}

/** What flows through the networks that are in use. */
export async function networkFlows(context: EngineContext): Promise<NetworkFlows[]> {
  const networks = await context.networks();
  return [...(await networks.flows())].map(([network, { flows, stats }]) => ({
    network,
    flows,
    stats: Object.values(stats),
  }));
}

function readOrThrow(context: EngineContext, id: string): Container {
  const container = readContainer(context.paths, id);
  if (container === undefined) throw new EngineError('NOT_FOUND', `No such container: ${id}`);
  return container;
}
