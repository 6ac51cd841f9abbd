/**
 * Containers as they are. Records are the agent's to write; where one says that a container runs that is gone (all of
 * trun was killed, the machine was rebooted), an agent is started, which puts its records right before it answers.
 */
import { type Container, findContainer, listContainers } from '../../engine/container.ts';
import { isLost } from '../../engine/processes.ts';
import type { CommandContext } from '../command.ts';

/** All containers, the newest first. */
export async function trueContainers(context: CommandContext): Promise<Container[]> {
  const containers = listContainers(context.paths());
  if (!containers.some(isLost)) return containers;
  await context.ask('status', {});
  return listContainers(context.paths());
}

/** The container of that name, id, or beginning of an id. Throws NOT_FOUND or INVALID. */
export async function trueContainer(context: CommandContext, name: string): Promise<Container> {
  const container = findContainer(context.paths(), name);
  if (!isLost(container)) return container;
  await context.ask('status', {});
  return findContainer(context.paths(), name);
}
