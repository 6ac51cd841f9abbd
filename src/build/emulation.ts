/** Programs of other architectures. */
import { hostPlatform, platformMatches, type Platform } from '../image/platform.ts';
import { ensureEmulator } from '../engine/emulator.ts';
import type { BuildSession } from './session.ts';

/** Makes ready what runs programs of the platform, where the machine itself does not. */
export async function emulate({ holder, paths }: BuildSession, platform: Platform): Promise<void> {
  if (platformMatches(hostPlatform(), platform)) return;
  await ensureEmulator(paths, holder, platform.architecture);
}
