/**
 * Unpacks layers while they are downloaded: small ones in this thread, the others each in a thread of its own, so that download,
 * inflating (on zlib's thread) and storing overlap. Threads start when they are needed and are used again.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { GrowingFile } from './growing-file.ts';
import { describeFailure, unpackError } from './unpack-failure.ts';
import { unpackLayer, type UnpackRequest, type UnpackResult } from './unpack-layer.ts';
import type { FromUnpacker, ToUnpacker } from './unpack-messages.ts';

/** A thread costs some 30 ms and 10 MB; below this many compressed bytes it does not pay. */
const SMALL = 2 * 1024 * 1024;
/** Bytes between two messages to a thread. */
const GROWTH_STEP = 256 * 1024;

const isSource = import.meta.filename.endsWith('.ts');
/** The bundle beside ours; in the sources the module itself. */
const workerEntry = join(import.meta.dirname, isSource ? 'unpack-worker.ts' : 'unpack-worker.cjs');

export interface LayerToUnpack {
  /** The blob's file, which may still grow. */
  readonly path: string;
  /** Bytes of the whole blob. */
  readonly size: number;
  readonly request: UnpackRequest;
  /** As the layer is shown to users. */
  readonly shownAs: string;
  readonly onProgress: (position: number) => void;
}

export interface UnpackJob {
  readonly result: Promise<UnpackResult>;
  /** So many bytes of the blob are there. */
  grow(available: number): void;
  /** All are. */
  complete(): void;
  /** They will never be. `result` rejects. */
  cancel(error: Error): void;
}

export class UnpackerPool {
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();

  start(layer: LayerToUnpack): UnpackJob {
    return layer.size < SMALL || !existsSync(workerEntry) ? startHere(layer) : this.#startThread(layer);
  }

  /** Ends all threads, whatever they are doing. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  #startThread(layer: LayerToUnpack): UnpackJob {
    const worker = this.#idle.pop() ?? this.#spawn();
    const { promise: result, resolve, reject } = Promise.withResolvers<UnpackResult>();
    // Once a layer has failed its thread may be at another one.
    let isOver = false;
    function post(message: ToUnpacker): void {
      if (!isOver) worker.postMessage(message);
    }
    const idle = this.#idle;
    function onMessage(message: FromUnpacker): void {
      if (message.kind === 'progress') return layer.onProgress(message.position);
      leave();
      idle.push(worker);
      if (message.kind === 'done') resolve(message.result);
      else reject(unpackError(message.error, layer.shownAs));
    }
    // A thread that dies of something else than an archive: out of memory, a bug.
    function onError(error: unknown): void {
      leave();
      reject(unpackError(describeFailure(error), layer.shownAs));
    }
    function leave(): void {
      isOver = true;
      worker.off('message', onMessage).off('error', onError);
    }
    worker.on('message', onMessage).on('error', onError);
    let told = 0;
    let known = 0;
    function tell(): void {
      told = known;
      post({ kind: 'grown', available: known });
    }
    post({ kind: 'begin', path: layer.path, request: layer.request });
    return {
      result,
      grow: (available) => {
        known = available;
        if (known - told >= GROWTH_STEP) tell();
      },
      complete: () => {
        tell();
        post({ kind: 'complete' });
      },
      cancel: (error) => {
        if (isOver) return;
        leave();
        this.#all.delete(worker);
        void worker.terminate();
        reject(error);
      },
    };
  }

  #spawn(): Worker {
    const worker = new Worker(workerEntry, isSource ? { execArgv: ['--conditions=source'] } : {});
    this.#all.add(worker);
    return worker;
  }
}

function startHere(layer: LayerToUnpack): UnpackJob {
  const file = new GrowingFile(layer.path);
  const unpacked = unpackLayer(file.read(), layer.request, () => layer.onProgress(file.position));
  return {
    result: unpacked.catch((error: unknown) => {
      throw unpackError(describeFailure(error), layer.shownAs);
    }),
    grow: (available) => file.grow(available),
    complete: () => file.complete(),
    cancel: (error) => file.fail(error),
  };
}
