import { ImageError } from './image-error.ts';

/** An image's platform in Go's names: os, architecture, and a variant where the architecture has any. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** `process.arch` -> GOARCH. */
const goArchitectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  ia32: '386',
  ppc64: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
  loong64: 'loong64',
};

/** Other names that containerd's platforms package takes for the same thing. */
const aliases: Readonly<Record<string, Omit<Platform, 'os'>>> = {
  x86_64: { architecture: 'amd64' },
  'x86-64': { architecture: 'amd64' },
  aarch64: { architecture: 'arm64' },
  armhf: { architecture: 'arm', variant: 'v7' },
  armel: { architecture: 'arm', variant: 'v6' },
  i386: { architecture: '386' },
};

const partPattern = /^[A-Za-z0-9_.-]+$/;

export function hostPlatform(): Platform {
  return normalize({ os: 'linux', architecture: goArchitectures[process.arch] ?? process.arch });
}

/** Parses `linux/arm64/v8`, `linux/amd64` or `arm64`. */
export function parsePlatform(text: string): Platform {
  const parts = text.split('/');
  if (parts.length > 3 || !parts.every((part) => partPattern.test(part))) {
    throw new ImageError(
      'INVALID',
      `"${text}": invalid platform: it has to be os/architecture[/variant], such as linux/amd64`,
    );
  }
  const [first, second, variant] = parts as [string, string?, string?];
  const os = second === undefined ? 'linux' : first.toLowerCase();
  const architecture = (second ?? first).toLowerCase();
  return normalize({ os, architecture, ...(variant !== undefined && { variant: variant.toLowerCase() }) });
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return `${os}/${architecture}${variant === undefined ? '' : `/${variant}`}`;
}

/** The variant that goes without saying is said for arm and left out elsewhere, as containerd does. */
export function normalize(platform: Platform): Platform {
  const alias = aliases[platform.architecture];
  const architecture = alias?.architecture ?? platform.architecture;
  let variant = platform.variant ?? alias?.variant;
  if (variant === '') variant = undefined;
  if (architecture === 'arm64' && (variant === undefined || variant === '8')) variant = 'v8';
  if (architecture === 'arm')
    variant = variant === undefined ? 'v7' : /^[5-8]$/.test(variant) ? `v${variant}` : variant;
  if (architecture === 'amd64' && variant === 'v1') variant = undefined;
  return { os: platform.os, architecture, ...(variant !== undefined && { variant }) };
}

/** What else runs where `platform` runs, best first, `platform` itself included. */
function compatiblePlatforms(platform: Platform): Platform[] {
  const { os, architecture, variant } = platform;
  if (architecture === 'amd64') {
    const level = Number(variant?.slice(1) ?? 1);
    const levels = Array.from({ length: Math.max(level - 1, 0) }, (_, index) => `v${level - index}`);
    return [
      ...levels.map((each) => ({ os, architecture, variant: each })),
      { os, architecture },
      { os, architecture: '386' },
    ];
  }
  if (architecture === 'arm64') return [platform, ...armPlatforms(os, 8)];
  if (architecture === 'arm') return armPlatforms(os, Number(variant?.slice(1) ?? 7));
  return [platform];
}

function armPlatforms(os: string, level: number): Platform[] {
  return [8, 7, 6, 5].filter((each) => each <= level).map((each) => ({ os, architecture: 'arm', variant: `v${each}` }));
}

/** Whether an image for `offered` runs on `wanted`. */
export function platformMatches(wanted: Platform, offered: Platform): boolean {
  return choosePlatform(wanted, [offered]) === 0;
}

/** Index of the offer that suits best, or -1. */
export function choosePlatform(wanted: Platform, offers: readonly (Platform | undefined)[]): number {
  const normalized = offers.map((offer) => offer && normalize(offer));
  for (const { os, architecture, variant } of compatiblePlatforms(normalize(wanted))) {
    const index = normalized.findIndex(
      (offer) => offer?.os === os && offer.architecture === architecture && offer.variant === variant,
    );
    if (index >= 0) return index;
  }
  return -1;
}
