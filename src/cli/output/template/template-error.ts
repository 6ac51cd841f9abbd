/** A template cannot be read, or asks its data for something that they do not have. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  readonly code = 'INVALID';

  constructor(message: string, line?: number) {
    super(line === undefined ? message : `template: :${line}: ${message}`);
  }
}
