/** The arguments that every Dockerfile knows: what it is built for, and where. */
import { formatPlatform, type Platform } from '../../image/platform.ts';

export function platformArguments(target: Platform, build: Platform, targetStage: string): Map<string, string> {
  return new Map([...platformOf('BUILD', build), ...platformOf('TARGET', target), ['TARGETSTAGE', targetStage]]);
}

function platformOf(prefix: string, platform: Platform): [string, string][] {
  // As BuildKit writes it: arm64 goes without its only variant.
  const shown =
    platform.architecture === 'arm64' && platform.variant === 'v8'
      ? { os: platform.os, architecture: 'arm64' }
      : platform;
  return [
    [`${prefix}PLATFORM`, formatPlatform(shown)],
    [`${prefix}OS`, shown.os],
    [`${prefix}ARCH`, shown.architecture],
    [`${prefix}VARIANT`, shown.variant ?? ''],
    [`${prefix}OSVERSION`, ''],
  ];
}
