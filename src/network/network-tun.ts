/**
 * Who keeps a network's TAP open, so that it outlives the network process: for the default network the holder, which has
 * one descriptor of /dev/net/tun, for each other network a keeper of its own.
 */
import { closeSync, rmSync } from 'node:fs';
import { readJson, writeJson } from '../state/atomic-file.ts';
import { pidfdGetfd, pidfdOpen } from '../sys/pidfd.ts';
import { isAlive, type ProcessIdentity } from '../sys/process-identity.ts';
import type { Hub } from './hub.ts';
import { endTapKeeper, keeperTunFd, startTapKeeper } from './tap-keeper.ts';

export interface NetworkTun {
  /** Sees to it that somebody keeps it. */
  prepare(): Promise<void>;
  /** A duplicate of the descriptor. The caller closes it. */
  take(): number;
  /** Nobody needs it any more. */
  release(): void;
}

/** The holder's own. */
export function holderTun(hub: Hub): NetworkTun {
  return {
    prepare: () => Promise.resolve(),
    take: () => hub.takeTun(),
    release: () => undefined,
  };
}

interface KeeperRecord {
  /** The hub that the TAP is in. */
  readonly hub: string;
  readonly keeper: ProcessIdentity;
}

/** A keeper's, which is on record at `path`, so that a successor of ours finds it. */
export function keptTun(hub: Hub, path: string): NetworkTun {
  function find(): ProcessIdentity | undefined {
    const record = readJson<KeeperRecord>(path);
    return record?.hub === hub.id && isAlive(record.keeper) ? record.keeper : undefined;
  }
  return {
    async prepare() {
      if (find() !== undefined) return;
      hub.checkTun();
      const keeper = await startTapKeeper(hub.holderPid);
      writeJson(path, { hub: hub.id, keeper });
    },
    take() {
      const keeper = find();
      if (keeper === undefined) throw new Error('Cannot take the TAP of the network: its keeper has ended');
      const pidfd = pidfdOpen(keeper.pid);
      try {
        return pidfdGetfd(pidfd, keeperTunFd);
      } finally {
        closeSync(pidfd);
      }
    },
    release() {
      const keeper = find();
      if (keeper !== undefined) endTapKeeper(keeper);
      rmSync(path, { force: true });
    },
  };
}
