/** What the user wrote cannot be what they meant; the message says which part, and is meant to be printed as it is. */
export class InvalidInput extends Error {
  override readonly name = 'InvalidInput';
  readonly code = 'INVALID';
}
