/** A user's state, holder and networks of their own, for tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openState, type StatePaths } from '../../state/paths.ts';
import { mapText, nestedExtents } from '../../base/id-extents.ts';
import { ensureHolder, type Holder } from '../../holder/holder.ts';
import { Networks, type NetworksOptions } from '../networks.ts';
import type { Parent } from './test-container.ts';

/** How long network processes stay in tests, in ms. */
export const testIdle = 800;

/** How long they may take to answer, in ms: long enough for a busy machine. */
export const testPatience = 3000;

export class TestHost implements AsyncDisposable {
  readonly paths: StatePaths;
  readonly holder: Holder;
  readonly #folder: string;
  readonly #opened: Networks[] = [];

  private constructor(folder: string, paths: StatePaths, holder: Holder) {
    this.#folder = folder;
    this.paths = paths;
    this.holder = holder;
  }

  static async create(): Promise<TestHost> {
    // Short, for a unix socket's path has 107 bytes.
    const folder = mkdtempSync('/tmp/trun-net-');
    const paths = openState(folder, {});
    return new TestHost(folder, paths, await ensureHolder(paths));
  }

  /** How many group ids containers have. */
  get groups(): number {
    return this.holder.map.gid.reduce((sum, { count }) => sum + count, 0);
  }

  /** Where test containers are made. */
  get parent(): Parent {
    const { process: holder, map } = this.holder;
    return { holderPid: holder.pid, uidMap: mapText(nestedExtents(map.uid)), gidMap: mapText(nestedExtents(map.gid)) };
  }

  /** The networks as an agent has them; each call is another agent's life over the same state. */
  open(link?: NetworksOptions['link']): Networks {
    const networks = new Networks({
      paths: this.paths,
      holder: this.holder,
      log: () => undefined,
      idle: testIdle,
      patience: testPatience,
      ...(link === undefined ? {} : { link }),
      // The sources themselves, so that a test never runs an older bundle.
      command: [process.execPath, '--conditions=source', join(import.meta.dirname, '../process/main.ts')],
    });
    this.#opened.push(networks);
    return networks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const networks of this.#opened) await networks[Symbol.asyncDispose]();
    // Its network processes end with it.
    process.kill(this.holder.process.pid, 'SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
