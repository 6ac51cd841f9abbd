import { InvalidInput } from '../invalid-input.ts';

/** What becomes of a container that has ended by itself. */
export interface RestartPolicy {
  readonly name: 'no' | 'on-failure' | 'always' | 'unless-stopped';
  /** Of `on-failure`: give up after so many restarts; 0: never. */
  readonly maximumRetryCount: number;
}

const NAMES = ['no', 'on-failure', 'always', 'unless-stopped'] as const;

/** Reads `--restart` in Docker's words: `no`, `on-failure[:max-retries]`, `always`, `unless-stopped`. */
export function parseRestart(text: string): RestartPolicy {
  const [, word = '', count] = /^([^:]*)(?::(.*))?$/s.exec(text) ?? [];
  if (word === '' && count !== undefined)
    throw new InvalidInput('invalid restart policy format: no policy provided before colon');
  const name = word === '' ? 'no' : NAMES.find((each) => each === word);
  if (name === undefined) {
    throw new InvalidInput(
      `invalid restart policy: unknown policy '${word}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  }
  if (count === undefined) return { name, maximumRetryCount: 0 };
  if (!/^-?\d{1,9}$/.test(count)) {
    throw new InvalidInput('invalid restart policy format: maximum retry count must be an integer');
  }
  const maximumRetryCount = Number(count);
  if (name !== 'on-failure') {
    throw new InvalidInput("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  if (maximumRetryCount < 0) throw new InvalidInput('invalid restart policy: maximum retry count cannot be negative');
  return { name, maximumRetryCount };
}
