/**
 * An image's configuration: image-spec config.md plus Docker's additions (Healthcheck, Shell, OnBuild). The fields keep the
 * names that they have in the document, as in `docker inspect`.
 */
import { parseDigest, type Digest } from './digest.ts';
import { ImageError } from './image-error.ts';
import {
  isObject,
  optionalSet,
  optionalString,
  optionalStringMap,
  optionalStrings,
  parseJsonObject,
  type JsonObject,
} from './json.ts';
import type { Platform } from './platform.ts';

/** Times in nanoseconds, as in the document; 0 or absent: inherit. `Test`: `[]`, `['NONE']`, `['CMD', …]`, `['CMD-SHELL', …]` */
export interface Healthcheck {
  readonly Test?: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

export interface ImageExecConfig {
  readonly User?: string;
  /** `80/tcp`, `53/udp` */
  readonly ExposedPorts?: readonly string[];
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: readonly string[];
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly Healthcheck?: Healthcheck;
  readonly Shell?: readonly string[];
  readonly OnBuild?: readonly string[];
}

export interface HistoryEntry {
  readonly created?: string;
  readonly createdBy?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly emptyLayer: boolean;
}

export interface ImageConfig {
  readonly platform: Platform;
  /** RFC 3339, or absent. */
  readonly created?: string;
  readonly author?: string;
  readonly config: ImageExecConfig;
  readonly diffIds: readonly Digest[];
  readonly history: readonly HistoryEntry[];
  /** The document as it is, for `inspect`. */
  readonly document: JsonObject;
}

/** Decodes and checks a config blob. `name` is the image as the user knows it, for errors. */
export function parseImageConfig(bytes: Buffer, name: string): ImageConfig {
  const what = `The config of ${name}`;
  const document = parseJsonObject(bytes, what);
  const rootfs = document['rootfs'];
  if (!isObject(rootfs) || rootfs['type'] !== 'layers') {
    throw new ImageError('INVALID', `${what} has no list of layers (rootfs)`);
  }
  const diffIds = (optionalStrings(rootfs['diff_ids'], `${what}: diff_ids`) ?? []).map((each) =>
    parseDigest(each, what),
  );
  const created = optionalString(document['created'], `${what}: created`);
  const author = optionalString(document['author'], `${what}: author`);
  const variant = optionalString(document['variant'], `${what}: variant`);
  return {
    platform: {
      os: optionalString(document['os'], `${what}: os`) ?? 'linux',
      architecture: optionalString(document['architecture'], `${what}: architecture`) ?? '',
      ...(variant !== undefined && variant !== '' && { variant }),
    },
    ...(created !== undefined && { created }),
    ...(author !== undefined && { author }),
    config: parseExecConfig(document['config'], what),
    diffIds,
    history: parseHistory(document['history'], what),
    document,
  };
}

function parseExecConfig(value: unknown, what: string): ImageExecConfig {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw new ImageError('INVALID', `${what}: config is not an object`);
  return defined<ImageExecConfig>({
    User: optionalString(value['User'], `${what}: User`),
    ExposedPorts: optionalSet(value['ExposedPorts'], `${what}: ExposedPorts`),
    Env: withoutNul(optionalStrings(value['Env'], `${what}: Env`), `${what}: Env`),
    Entrypoint: withoutNul(optionalStrings(value['Entrypoint'], `${what}: Entrypoint`), `${what}: Entrypoint`),
    Cmd: withoutNul(optionalStrings(value['Cmd'], `${what}: Cmd`), `${what}: Cmd`),
    Volumes: withoutNul(optionalSet(value['Volumes'], `${what}: Volumes`), `${what}: Volumes`),
    WorkingDir: optionalString(value['WorkingDir'], `${what}: WorkingDir`),
    Labels: optionalStringMap(value['Labels'], `${what}: Labels`),
    StopSignal: optionalString(value['StopSignal'], `${what}: StopSignal`),
    Healthcheck: parseHealthcheck(value['Healthcheck'], `${what}: Healthcheck`),
    Shell: optionalStrings(value['Shell'], `${what}: Shell`),
    OnBuild: optionalStrings(value['OnBuild'], `${what}: OnBuild`),
  });
}

function parseHealthcheck(value: unknown, what: string): Healthcheck | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw new ImageError('INVALID', `${what} is not an object`);
  return defined<Healthcheck>({
    Test: withoutNul(optionalStrings(value['Test'], `${what}: Test`), `${what}: Test`),
    Interval: duration(value['Interval'], `${what}: Interval`),
    Timeout: duration(value['Timeout'], `${what}: Timeout`),
    StartPeriod: duration(value['StartPeriod'], `${what}: StartPeriod`),
    StartInterval: duration(value['StartInterval'], `${what}: StartInterval`),
    Retries: duration(value['Retries'], `${what}: Retries`),
  });
}

function parseHistory(value: unknown, what: string): HistoryEntry[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every(isObject)) throw new ImageError('INVALID', `${what}: history is malformed`);
  return value.map((entry) => ({
    ...defined<Omit<HistoryEntry, 'emptyLayer'>>({
      created: optionalString(entry['created'], `${what}: history`),
      createdBy: optionalString(entry['created_by'], `${what}: history`),
      author: optionalString(entry['author'], `${what}: history`),
      comment: optionalString(entry['comment'], `${what}: history`),
    }),
    emptyLayer: entry['empty_layer'] === true,
  }));
}

/** Go's time.Duration and counts: whole and not negative. */
function duration(value: unknown, what: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw new ImageError('INVALID', `${what} is not a number of 0 or more`);
  }
  return value;
}

/** No argument or variable of a process can hold a NUL. */
function withoutNul(values: string[] | undefined, what: string): string[] | undefined {
  if (values?.some((value) => value.includes('\0'))) throw new ImageError('INVALID', `${what} has a NUL byte in it`);
  return values;
}

/** Leaves out what is undefined: absent fields stay absent. */
function defined<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
