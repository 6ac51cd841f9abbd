/** What the engine refuses, in a closed set: the command line maps it to exit codes, an API to HTTP status. */
export type EngineErrorCode =
  /** No such container, image, volume… */
  | 'NOT_FOUND'
  /** A name taken, a container in the wrong state. */
  | 'CONFLICT'
  /** What was asked for makes no sense. */
  | 'INVALID'
  /** This host cannot do it; the message says what is missing. */
  | 'UNSUPPORTED'
  /** The container's program is not there. */
  | 'COMMAND_NOT_FOUND'
  /** The container's program is there and may not be executed. */
  | 'COMMAND_NOT_EXECUTABLE'
  /** Anything else that went wrong while doing it. */
  | 'FAILED';

export class EngineError extends Error {
  readonly code: EngineErrorCode;

  constructor(code: EngineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EngineError';
    this.code = code;
  }
}
