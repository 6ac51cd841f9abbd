/**
 * The contract between a TCP connection and whoever owns its other end (for the gateway: a socket of the host).
 *
 * Data is pulled and pushed, never buffered twice. Received bytes are offered straight from the frame; what is not taken, the
 * connection queues and shrinks its window. Bytes to send stay with the application until the peer has acknowledged them: the
 * connection peeks at them, for the first transmission and for any other.
 */

/** Result of {@link StreamApplication.peek}: the outgoing stream ends at that position. */
export const STREAM_END = -1;

/** Why a connection is no more. */
export type CloseReason =
  /** Both directions were closed in order. */
  | 'finished'
  /** The peer reset it, or refused it. */
  | 'reset'
  /** {@link Connection.abort} was called. */
  | 'aborted'
  /** The peer no longer answered. */
  | 'timeout'
  /** The peer is not on the link. */
  | 'unreachable';

export interface StreamApplication {
  /** The handshake is done. */
  established(): void;
  /**
   * Takes bytes [start, start + length) of `bytes` and returns how many were taken. When fewer than all, the application calls
   * `connection.resume()` once it can take more. The buffer is reused after the call.
   */
  receive(bytes: Uint8Array, start: number, length: number): number;
  /** The peer will send no more, and all it sent was taken. */
  receivedEnd(): void;
  /**
   * Copies up to `length` bytes of the outgoing stream into target[at…], starting `position` bytes after the first one not
   * acknowledged, and returns how many; 0: none yet (the application calls `connection.pump()` when there are more);
   * {@link STREAM_END}: the stream ends at `position`.
   */
  peek(position: number, target: Uint8Array, at: number, length: number): number;
  /** The peer has the next `count` bytes: they are not peeked at again. */
  acknowledged(count: number): void;
  /** The last call. Not made before `established` for a connection that the application refused. */
  closed(reason: CloseReason): void;
}
