/** `--link` on the default network, where containers have no names: lines of /etc/hosts and variables, as Docker writes them. */
import { defaultNetwork } from '../network/stored-networks.ts';
import type { HostEntry } from '../network/etc-files.ts';
import { execEnvironment } from '../oci/environment.ts';
import type { StatePaths } from '../state/paths.ts';
import { attachmentsOf } from './attachments.ts';
import { type Container, findContainer } from './container.ts';
import type { EngineContext } from './context.ts';
import { EngineError } from './engine-error.ts';
import { type ExposedPort, exposedPorts } from './exposed-ports.ts';
import { findSource } from './lower.ts';

/** @param links alias -> container, which has to run @param name of the container that links to them */
export function linkedHosts(paths: StatePaths, name: string, links: Readonly<Record<string, string>>): HostEntry[] {
  return Object.entries(links).map(([alias, target]) => {
    const { config, state } = findContainer(paths, target);
    if (state.status !== 'running') {
      throw new EngineError('CONFLICT', `Cannot link to a non running container: /${config.name} AS /${name}/${alias}`);
    }
    const address = state.network?.endpoints[defaultNetwork]?.address ?? '';
    if (address === '') {
      throw new EngineError('CONFLICT', `Cannot link to /${config.name}, as it does not belong to the default network`);
    }
    return { address, names: [...new Set([alias, config.id.slice(0, 12), config.name])] };
  });
}

/**
 * The variables that tell a container of those it links to (Docker's "Legacy container links"), as `NAME=value`. One that does
 * not run has none: a start has refused it already, and an `exec` has no need of it.
 */
export function linkedEnvironment(context: EngineContext, { config }: Container): string[] {
  const attachment = attachmentsOf(config).find(({ network }) => network === defaultNetwork);
  return Object.entries(attachment?.links ?? {}).flatMap(([alias, target]) => {
    const linked = runningTarget(context, target);
    return linked === undefined ? [] : variablesOf(context, linked, config.name, alias);
  });
}

function runningTarget({ paths }: EngineContext, target: string): LinkTarget | undefined {
  try {
    const container = findContainer(paths, target);
    const { state } = container;
    const address = state.status === 'running' ? state.network?.endpoints[defaultNetwork]?.address : undefined;
    return address === undefined || address === '' ? undefined : { container, address };
  } catch (error) {
    if (error instanceof EngineError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

interface LinkTarget {
  readonly container: Container;
  readonly address: string;
}

/** What of the other's environment is no setting of its service. */
const OWN_VARIABLES: ReadonlySet<string> = new Set(['HOME', 'PATH']);

function variablesOf(
  context: EngineContext,
  { container, address }: LinkTarget,
  name: string,
  alias: string,
): string[] {
  const prefix = alias.toUpperCase().replaceAll('-', '_');
  const { request, image } = container.config;
  const ports = exposedPorts(context, container)
    .filter((port, index, all) => all.findIndex((other) => isSame(port, other)) === index)
    .sort((a, b) => a.protocol.localeCompare(b.protocol) || a.containerPort - b.containerPort);
  const urls = ports.map(({ containerPort, protocol }) => `${protocol}://${address}:${containerPort}`);
  const environment = execEnvironment(
    findSource(context, request, image).config.Env ?? [],
    request.options.env ?? [],
    false,
  );
  return [
    `${prefix}_NAME=/${name}/${alias}`,
    ...(urls[0] === undefined ? [] : [`${prefix}_PORT=${urls[0]}`]),
    ...ports.flatMap(({ containerPort, protocol }, index) => {
      const port = `${prefix}_PORT_${containerPort}_${protocol.toUpperCase()}`;
      return [
        `${port}=${urls[index]!}`,
        `${port}_ADDR=${address}`,
        `${port}_PORT=${containerPort}`,
        `${port}_PROTO=${protocol}`,
      ];
    }),
    ...environment
      .filter((variable) => !OWN_VARIABLES.has(variable.slice(0, variable.indexOf('='))))
      .map((variable) => `${prefix}_ENV_${variable}`),
  ];
}

function isSame(a: ExposedPort, b: ExposedPort): boolean {
  return a.containerPort === b.containerPort && a.protocol === b.protocol;
}
