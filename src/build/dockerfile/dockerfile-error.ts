/** Where something stands in a Dockerfile; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Something that the author of a Dockerfile has to mend. */
export class DockerfileError extends Error {
  readonly position: Position;
  /** The last line of the instruction that it is about. */
  readonly endLine: number;

  constructor(message: string, position: Position, endLine = position.line, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DockerfileError';
    this.position = position;
    this.endLine = endLine;
  }
}
