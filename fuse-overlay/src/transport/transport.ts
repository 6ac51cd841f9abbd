/** How messages of the kernel protocol travel between kernel and server. */
export interface Transport {
  /** Readable when a request waits; in error when the mount is gone. */
  readonly fd: number;
  /** Reads one request to `address`: its length, `-EAGAIN` when none waits, `-ENODEV` when the mount is gone. */
  receive(address: number, size: number): number;
  /** Writes one reply or notification; 0 or more, or `-errno`. */
  send(address: number, length: number): number;
  /**
   * Sends a reply whose header lies in memory and whose payload are the bytes `[offset, offset + length)` of a file, without
   * copying these through memory of ours. Undefined: it cannot, nothing was sent.
   */
  sendFile?(header: number, headerLength: number, fd: number, offset: number, length: number): number | undefined;
  close(): void;
}
