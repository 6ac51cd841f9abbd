/** A user's state, holder and networks of their own, for tests. The holder comes from the test: it is another room's. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openState, type StatePaths } from '../../state/paths.ts';
import type { HubAccess } from '../hub.ts';
import { Networks } from '../networks.ts';
import type { Parent } from './test-container.ts';

/** What the test's holder gives. */
export interface TestHolder {
  readonly hub: HubAccess;
  readonly parent: Parent;
  /** How many group ids its user namespace maps. */
  readonly groups: number;
}

/** How long network processes stay in tests, in ms. */
export const testIdle = 1500;

export class TestHost implements AsyncDisposable {
  readonly paths: StatePaths;
  readonly holder: TestHolder;
  readonly #folder: string;
  readonly #opened: Networks[] = [];

  private constructor(folder: string, paths: StatePaths, holder: TestHolder) {
    this.#folder = folder;
    this.paths = paths;
    this.holder = holder;
  }

  /** @param startHolder starts a holder for that state */
  static async create(startHolder: (paths: StatePaths) => Promise<TestHolder>): Promise<TestHost> {
    // Short, for a unix socket's path has 107 bytes.
    const folder = mkdtempSync('/tmp/trun-net-');
    const paths = openState(folder, {});
    return new TestHost(folder, paths, await startHolder(paths));
  }

  /** The networks as an agent has them; each call is another agent's life over the same state. */
  open(): Networks {
    const networks = new Networks({
      paths: this.paths,
      hub: this.holder.hub,
      groups: this.holder.groups,
      log: () => undefined,
      idle: testIdle,
      // The sources themselves, so that a test never runs an older bundle.
      command: [process.execPath, '--conditions=source', join(import.meta.dirname, '../process/main.ts')],
    });
    this.#opened.push(networks);
    return networks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const networks of this.#opened) await networks[Symbol.asyncDispose]();
    // Its network processes end with it.
    process.kill(this.holder.hub.pid, 'SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
