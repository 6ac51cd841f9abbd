/** What all stages of one build share. */
import type { Holder } from '../holder/holder.ts';
import type { ImageStore } from '../image/image-store.ts';
import type { StatePaths } from '../state/paths.ts';
import type { WritableKind } from '../storage/writable-layer.ts';
import type { BuildRequest } from './build-request.ts';
import type { StepCache, StepRecord } from './cache/step-cache.ts';
import type { Progress, StepEvents } from './display/progress.ts';
import type { Instruction } from './dockerfile/instruction.ts';
import type { Dockerfile } from './dockerfile/parse-dockerfile.ts';

export interface BuildSession {
  readonly request: BuildRequest;
  readonly paths: StatePaths;
  readonly store: ImageStore;
  readonly holder: Holder;
  readonly writable: WritableKind;
  readonly dockerfile: Dockerfile;
  readonly progress: Progress;
  readonly cache: StepCache;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** Ends what is under way: the user's interrupt, or the first failure. */
  readonly signal: AbortSignal;
  /** Folder of this build alone, removed at its end. */
  readonly folder: string;
  /** The same for secrets: in the run-time folder, which is in memory as a rule. */
  readonly secrets: string;
  /** Steps under way by key: two stages that need the same do it once. */
  readonly underWay: Map<string, Promise<StepRecord>>;
  /** The base images: full name, platform and digest of each. */
  readonly materials: Material[];
  /** Every step of this build by its key, done or found. */
  readonly records: Map<string, StepRecord>;
  warn(rule: string, message: string, instruction: Instruction): void;
}

export interface Material {
  readonly name: string;
  readonly platform: string;
  readonly digest: string;
}

export interface CachedStep {
  readonly key: string;
  readonly mayUseCache: boolean;
  readonly description: string;
  /** Does it; undefined where no file has changed. */
  readonly work: (events: StepEvents) => Promise<StepRecord['layer']>;
}

/** Finds the step among those that have been done, or does it. */
export async function cachedStep(session: BuildSession, events: StepEvents, step: CachedStep): Promise<StepRecord> {
  session.signal.throwIfAborted();
  const record = await findOrDo(session, events, step);
  session.records.set(step.key, record);
  return record;
}

async function findOrDo(
  { cache, underWay, request, signal }: BuildSession,
  events: StepEvents,
  { key, mayUseCache, description, work }: CachedStep,
): Promise<StepRecord> {
  const other = underWay.get(key);
  if (other !== undefined) {
    const record = await other;
    events.cached();
    return record;
  }
  const known = mayUseCache ? cache.find(key) : undefined;
  if (known !== undefined) {
    events.cached();
    return known;
  }
  const doing = (async (): Promise<StepRecord> => {
    events.begin();
    const layer = await work(events);
    const created = createdAt(request);
    const record = { ...(layer === undefined ? {} : { layer }), description, created };
    cache.save(key, record);
    events.done();
    return record;
  })();
  underWay.set(key, doing);
  try {
    return await doing;
  } catch (error) {
    if (signal.aborted) events.cancel();
    else events.fail((error as Error).message);
    throw error;
  } finally {
    underWay.delete(key);
  }
}

/** RFC 3339: now, or what SOURCE_DATE_EPOCH says. */
export function createdAt({ epoch }: Pick<BuildRequest, 'epoch'>): string {
  return (epoch === undefined ? new Date() : new Date(epoch * 1000)).toISOString();
}
