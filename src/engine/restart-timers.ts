/**
 * Containers that wait for their restart. Each has its last run's monitor wait with it: were this agent killed, that
 * monitor starts the next one, which finds on record when the restart is due.
 */
export class RestartTimers {
  /** Called when a container's time has come, once, with what to call when it has been started or cannot be. */
  onDue: (id: string, letGo: () => void) => void = () => undefined;
  readonly #pending = new Map<string, { readonly timer: NodeJS.Timeout; readonly letGo: () => void }>();

  /** Whether any container waits. */
  get isBusy(): boolean {
    return this.#pending.size > 0;
  }

  /** @param due milliseconds since 1970 @param letGo ends the monitor that waits with the container */
  schedule(id: string, due: number, letGo: () => void): void {
    this.cancel(id)?.();
    const timer = setTimeout(
      () => {
        this.#pending.delete(id);
        this.onDue(id, letGo);
      },
      Math.max(due - Date.now(), 0),
    );
    this.#pending.set(id, { timer, letGo });
  }

  /** Takes a container off the list. Whoever does calls the function returned, once the container's record is right. */
  cancel(id: string): (() => void) | undefined {
    const pending = this.#pending.get(id);
    clearTimeout(pending?.timer);
    this.#pending.delete(id);
    return pending?.letGo;
  }
}
