import type { FlagValues } from '../flags/flag.ts';

/** The flags of `stop` and `restart`. */
export const stopFlags = {
  signal: { kind: 'text', short: 's', help: 'Signal to send to the container' },
  timeout: { kind: 'integer', short: 't', help: 'Seconds to wait before killing the container' },
  time: { kind: 'integer', hidden: true, help: 'Seconds to wait before killing the container' },
} as const;

/** What they add to the request. */
export function stopRequest(flags: FlagValues<typeof stopFlags>): { signal?: string; timeout?: number } {
  const timeout = flags.timeout ?? flags.time;
  return {
    ...(flags.signal === undefined ? {} : { signal: flags.signal }),
    ...(timeout === undefined ? {} : { timeout }),
  };
}
