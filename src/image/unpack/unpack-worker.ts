/** Entry of an unpacking thread: inflates, hashes and stores one layer after the other. */
import { parentPort } from 'node:worker_threads';
import { GrowingFile } from './growing-file.ts';
import { describeFailure } from './unpack-failure.ts';
import { unpackLayer, type UnpackRequest } from './unpack-layer.ts';
import type { FromUnpacker, ToUnpacker } from './unpack-messages.ts';

/** Bytes of the blob between two progress messages. */
const PROGRESS_STEP = 1024 * 1024;

const port = parentPort;
if (!port) throw new Error('This is the entry of a thread, not of a program');

function send(message: FromUnpacker): void {
  port!.postMessage(message);
}

let file: GrowingFile | undefined;

async function unpack(blob: GrowingFile, request: UnpackRequest): Promise<void> {
  let told = 0;
  try {
    const result = await unpackLayer(blob.read(), request, () => {
      if (blob.position - told < PROGRESS_STEP) return;
      told = blob.position;
      send({ kind: 'progress', position: told });
    });
    send({ kind: 'done', result });
  } catch (error) {
    send({ kind: 'failed', error: describeFailure(error) });
  }
}

port.on('message', (message: ToUnpacker) => {
  switch (message.kind) {
    case 'begin':
      file = new GrowingFile(message.path);
      void unpack(file, message.request);
      break;
    case 'grown':
      file?.grow(message.available);
      break;
    case 'complete':
      file?.complete();
      break;
  }
});
