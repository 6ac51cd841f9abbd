/** An image's config while a stage is built: the document of image-spec's config.md, with Docker's additions. */
import type { ImageConfig } from '../../image/config.ts';
import type { Platform } from '../../image/platform.ts';

/** `config` of the document. Fields that nobody here knows are carried on as they are. */
export interface DraftConfig {
  User?: string;
  ExposedPorts?: Record<string, object>;
  Env?: string[];
  Entrypoint?: string[] | null;
  Cmd?: string[] | null;
  Volumes?: Record<string, object>;
  WorkingDir?: string;
  Labels?: Record<string, string>;
  StopSignal?: string;
  Healthcheck?: Record<string, unknown>;
  Shell?: string[];
  OnBuild?: string[];
}

export interface DraftHistory {
  created?: string;
  created_by: string;
  comment: string;
  empty_layer?: true;
}

export interface ImageDraft {
  readonly platform: Platform;
  author: string | undefined;
  config: DraftConfig;
  /** A base image's entries are as it had them. */
  history: (DraftHistory | object)[];
}

/** What a stage on `scratch` begins with. */
export function emptyDraft(platform: Platform): ImageDraft {
  return { platform, author: undefined, config: { Env: [DEFAULT_PATH], WorkingDir: '/' }, history: [] };
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function draftFromImage({ document, platform, author }: ImageConfig): ImageDraft {
  const config = structuredClone((document['config'] ?? {}) as DraftConfig);
  const history = Array.isArray(document['history']) ? (structuredClone(document['history']) as object[]) : [];
  return { platform, author, config, history };
}

/** For a stage that stands on another one. */
export function copyDraft(draft: ImageDraft): ImageDraft {
  return structuredClone(draft);
}

/** Notes a step in the history. */
export function addHistory(draft: ImageDraft, createdBy: string, created: string, hasLayer: boolean): void {
  draft.history.push({
    created,
    created_by: createdBy,
    comment: 'buildkit.dockerfile.v0',
    ...(hasLayer ? {} : { empty_layer: true as const }),
  });
}

/** The config document of the finished image. `created`: RFC 3339. */
export function configDocument(draft: ImageDraft, diffIds: readonly string[], created: string): object {
  const { platform, author, config, history } = draft;
  return {
    architecture: platform.architecture,
    ...(author === undefined ? {} : { author }),
    config: sorted(config),
    created,
    history,
    os: platform.os,
    rootfs: { type: 'layers', diff_ids: diffIds },
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
  };
}

/** Fields in one order, so that equal configs are equal bytes; what is empty is left out. */
function sorted(config: DraftConfig): object {
  const entries = Object.entries(config).filter(([, value]) => {
    if (value === undefined || value === null || value === '') return false;
    return typeof value !== 'object' || Object.keys(value as object).length > 0;
  });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
