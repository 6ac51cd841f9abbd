/** What a container's launch plan is made from. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerCgroup } from '../cgroup/container-cgroup.ts';
import type { RootSource } from '../base/root-source.ts';
import { lastingProcess } from '../base/install.ts';
import type { Holder } from '../holder/holder.ts';
import type { UserDatabase } from '../oci/user.ts';
import type { LaunchInput, SharedNamespaces } from '../runtime/launch-input.ts';
import { readLowerText } from '../storage/lower-files.ts';
import { readMountedText } from '../storage/mounted-files.ts';
import type { Lower } from '../storage/writable-layer.ts';
import { buildSpec, seccompFilter } from './container-spec.ts';
import type { Container } from './container.ts';
import type { EngineContext } from './context.ts';
import { linkedEnvironment } from './links.ts';
import { findSource } from './lower.ts';
import { containerMap } from './shared-namespaces.ts';
import { monitorSocket } from './monitor-link.ts';
import type { Networking } from './networking.ts';
import type { ConsoleSize } from './requests.ts';
import { EXIT_FILE, EXIT_TEMPORARY } from './running-container.ts';
import { readTextBelow } from './root-files.ts';

export interface LaunchParts {
  readonly container: Container;
  readonly holder: Holder;
  readonly lower: Lower;
  readonly root: RootSource;
  readonly networking: Pick<Networking, 'namespace' | 'configure' | 'etcFolder'>;
  readonly shared: SharedNamespaces;
  readonly cgroup: ContainerCgroup | undefined;
  readonly consoleSize: ConsoleSize | undefined;
}

export async function launchInput(context: EngineContext, parts: LaunchParts): Promise<LaunchInput> {
  const { paths } = context;
  const { container, holder, root, networking, shared, cgroup, consoleSize } = parts;
  const { config, folder } = container;
  const source = findSource(context, config.request, config.image);
  const spec = buildSpec({
    paths,
    holder,
    container,
    image: { ...source.config, Env: [...linkedEnvironment(context, container), ...(source.config.Env ?? [])] },
    users: await readUsers(parts),
    ownNetwork: networking.namespace.kind === 'new',
    etcFolder: networking.etcFolder,
    consoleSize,
  });
  const seccomp = seccompFilter(container, holder.map.kind === 'single');
  const socket = monitorSocket(paths, config.id);
  mkdirSync(socket.folder, { recursive: true, mode: 0o700 });
  const { configure } = networking;
  return {
    spec,
    root,
    rootTarget: join(folder, 'root'),
    holderPid: holder.process.pid,
    map: containerMap(holder, config.request),
    shared,
    ...(config.request.keepGroups === true ? { keepGroups: true } : {}),
    network: networking.namespace,
    ...(configure === undefined ? {} : { configureNetwork: configure }),
    ...(seccomp === undefined ? {} : { seccomp }),
    ...(cgroup === undefined ? {} : { cgroupProcs: cgroup.procsPath }),
    init: config.request.init,
    openStdin: config.request.openStdin,
    supervision: {
      socketFolder: socket.folder,
      socketName: socket.name,
      exitPath: join(folder, EXIT_FILE),
      exitTemporary: join(folder, EXIT_TEMPORARY),
      agentLock: join(paths.run, 'agent.lock'),
      agentArgv: agentCommand(paths.root),
      agentEnv: Object.entries(process.env).map(([name, value]) => `${name}=${value ?? ''}`),
    },
  };
}

/** How an agent is started: by the first command that needs it, and by monitors whose agent is gone. */
function agentCommand(root: string): string[] {
  return lastingProcess('agent', root);
}

/** More than any account file in earnest. */
const ACCOUNT_LIMIT = 8 << 20;

/** The account files as the container will see them. */
async function readUsers({ container, holder, lower, root }: LaunchParts): Promise<UserDatabase> {
  async function read(path: string): Promise<string | undefined> {
    if (root.kind === 'overlay') {
      return (await readTextBelow(join(root.folder, root.upper), path)) ?? readLowerText(lower, path, ACCOUNT_LIMIT);
    }
    if (container.state.starts === 0) return readLowerText(lower, path, ACCOUNT_LIMIT);
    return readMountedText(holder, root.path, path, ACCOUNT_LIMIT);
  }
  return { passwd: await read('/etc/passwd'), group: await read('/etc/group') };
}
