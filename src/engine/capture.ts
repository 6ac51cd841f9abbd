/** Recording a running container's packets. */
import { type Capture, type CaptureOptions, startCapture } from '../network/capture.ts';
import { isAlive } from '../sys/process-identity.ts';
import type { Container } from './container.ts';
import { EngineError } from './engine-error.ts';
import { asEngineError } from './network-failure.ts';

/** Starts it. Throws CONFLICT where there is nothing to be recorded. */
export async function captureContainer(
  { config, state }: Container,
  options: CaptureOptions,
  write: (bytes: Uint8Array) => void,
): Promise<Capture> {
  const { process: first } = state;
  if (state.status !== 'running' || first === undefined || !isAlive(first)) {
    throw new EngineError('CONFLICT', `container ${config.id} is not running`);
  }
  if (config.request.network === 'host') {
    throw new EngineError(
      'CONFLICT',
      `container ${config.name} has the host's network, which takes root to be recorded`,
    );
  }
  try {
    return await startCapture(first.pid, options, write);
  } catch (error) {
    throw asEngineError(error);
  }
}
