import { constants } from 'node:os';

/**
 * Passes the signals that trun gets on to the container, as Docker does. It listens from before the container is asked
 * for, so that a signal that comes while it starts ends the container and not just us.
 */
const PROXIED = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGPWR', 'SIGIO'] as const;

/** So many signals for a container that does not come to be end us instead. */
const IMPATIENT = 3;

/** Sends one signal to the container. */
export type SendSignal = (signal: string) => Promise<unknown>;

export class SignalProxy implements Disposable {
  readonly #early: NodeJS.Signals[] = [];
  #send: SendSignal | undefined;
  readonly #listener = (signal: NodeJS.Signals): void => this.#pass(signal);

  constructor() {
    for (const signal of PROXIED) process.on(signal, this.#listener);
  }

  /** From here on signals have somewhere to go; those that came before go first. */
  connect(send: SendSignal): void {
    this.#send = send;
    for (const signal of this.#early.splice(0)) this.#pass(signal);
  }

  [Symbol.dispose](): void {
    for (const signal of PROXIED) process.off(signal, this.#listener);
  }

  #pass(signal: NodeJS.Signals): void {
    if (this.#send !== undefined) {
      // It may have ended just now: then there is nobody to signal.
      this.#send(signal).catch(() => undefined);
    } else if (this.#early.push(signal) === IMPATIENT) {
      process.exit(128 + constants.signals[signal]);
    }
  }
}
