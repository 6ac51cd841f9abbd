import { listContainers } from '../../engine/container.ts';
import type { ImageUser, ImageUsers } from '../../image/image-store.ts';
import type { StatePaths } from '../../state/paths.ts';

/** The containers of each image, a running one first. */
export function imageUsers(paths: StatePaths): ImageUsers {
  const users = new Map<string, ImageUser>();
  for (const { config, state } of listContainers(paths)) {
    if (config.image === undefined) continue;
    const isRunning = state.status === 'running';
    if (isRunning || !users.has(config.image.id)) users.set(config.image.id, { container: config.id, isRunning });
  }
  return users as ImageUsers;
}
