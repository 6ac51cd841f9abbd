import type { StatePaths } from '../state/paths.ts';
import type { ContainerConfig } from './container.ts';
import { recordEvent } from './event-log.ts';

/** Puts on record what has happened to a container, with Docker's attributes: its labels, image and name. */
export function recordContainerEvent(
  { paths }: { readonly paths: StatePaths },
  { id, name, request }: ContainerConfig,
  action: string,
  attributes: Readonly<Record<string, string>> = {},
): void {
  const image = request.rootfs ?? request.image;
  recordEvent(paths, 'container', action, id, { ...request.labels, image, name, ...attributes });
}
