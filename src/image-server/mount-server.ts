/** The mounts that one server serves: taken from the records, each with its file system and session. */
import { contentAsker } from '../state/wanted-contents.ts';
import { closeSync, openSync } from 'node:fs';
import {
  DirectoryFileSystem,
  DirectoryLayer,
  type EventLoop,
  type FileSystem,
  type ImageTree,
  ImageTreeFileSystem,
  openImageTree,
  openUnion,
  serve,
  type Session,
  type UnionFileSystem,
} from 'fuse-overlay';
import { pidfdGetfd, pidfdOpen } from '../sys/pidfd.ts';
import { KEEPER_FUSE_FD } from './keeper-plan.ts';
import { listMounts, type MountContent, type MountRecord, serverOf, type ServerName } from './mount-record.ts';
import { sumCounters, type ServerCounters } from './server-counters.ts';

const ROOT_OWNER = { uid: 0, gid: 0 } as const;

interface Served {
  readonly session: Session;
  readonly union?: UnionFileSystem;
}

export class MountServer {
  readonly #loop: EventLoop;
  readonly #run: string;
  readonly #server: ServerName;
  readonly #idle: () => void;
  readonly #served = new Map<string, Served>();

  /** `idle` is called when the last mount is gone. */
  constructor(loop: EventLoop, run: string, server: ServerName, idle: () => void) {
    this.#idle = idle;
    this.#loop = loop;
    this.#run = run;
    this.#server = server;
  }

  /**
   * Serves every recorded mount that is not served yet, and gives the others the quota that their records have by now.
   * `takeover`: they were served by a server that has died.
   */
  scan(takeover: boolean): void {
    for (const record of listMounts({ run: this.#run })) {
      const { content } = record;
      if (serverOf(content) !== this.#server) continue;
      const served = this.#served.get(mountName(record));
      if (served !== undefined) {
        if (content.kind === 'union') served.union?.setQuota(content.quota);
        continue;
      }
      try {
        this.#serve(record, takeover);
      } catch (error) {
        // What has lain there since before must not keep the others from being served.
        if (!takeover) throw error;
        log(record, `not served: ${(error as Error).message}`);
      }
    }
  }

  counters(): ServerCounters {
    return sumCounters([...this.#served].map(([key, { session }]) => [key, session.counters]));
  }

  #serve(record: MountRecord, takeover: boolean): void {
    const fuseFd = takeFuseFd(record);
    try {
      const content = openContent(record.content, takeover);
      const session = serve(this.#loop, fuseFd, content.fileSystem, {
        takeover,
        log: (line) => log(record, line),
        onClose: () => {
          this.#served.delete(mountName(record));
          content.close();
          if (this.#served.size === 0) this.#idle();
        },
      });
      this.#served.set(mountName(record), { session, ...(content.union && { union: content.union }) });
    } catch (error) {
      closeSync(fuseFd);
      throw error;
    }
  }
}

/** A mount whose keeper was killed lives on in containers that use it, beside the next one of its key. */
function mountName({ key, keeper }: MountRecord): string {
  return `${key} ${keeper.pid} ${keeper.startTime}`;
}

function log({ key }: MountRecord, line: string): void {
  process.stderr.write(`${new Date().toISOString()} ${key}: ${line}\n`);
}

/** The keeper lives in a user namespace that this user owns, which gives ptrace access to it whatever Yama says. */
function takeFuseFd({ keeper }: MountRecord): number {
  const pidfd = pidfdOpen(keeper.pid);
  try {
    return pidfdGetfd(pidfd, KEEPER_FUSE_FD);
  } finally {
    closeSync(pidfd);
  }
}

interface OpenContent {
  readonly fileSystem: FileSystem;
  readonly union?: UnionFileSystem;
  close(): void;
}

function openContent(content: MountContent, takeover: boolean): OpenContent {
  const owner = content.owner ? { owner: ROOT_OWNER } : {};
  switch (content.kind) {
    case 'tree': {
      const { layer, closeContents } = openTree(content.index, content.files);
      return {
        fileSystem: new ImageTreeFileSystem(layer, {
          ...owner,
          ...(content.order !== undefined && { orderFile: content.order }),
        }),
        close() {
          layer.close();
          closeContents();
        },
      };
    }
    case 'directory': {
      const fileSystem = new DirectoryFileSystem(content.path, owner);
      return { fileSystem, close: () => fileSystem.layer.close() };
    }
    case 'union': {
      const { lower } = content;
      const { layer, closeContents } =
        lower.kind === 'tree'
          ? openTree(lower.index, lower.files)
          : { layer: new DirectoryLayer(lower.path), closeContents: () => undefined };
      try {
        const union = openUnion({
          lower: layer,
          lowerName: content.lowerName,
          upperDir: content.upper,
          quota: content.quota,
          takeover,
          ...owner,
        });
        return {
          fileSystem: union,
          union,
          close() {
            // The layer is the union's and goes with it.
            union.close();
            closeContents();
          },
        };
      } catch (error) {
        closeContents();
        throw error;
      }
    }
  }
}

/** The index keeps no store: its contents' folder is to be closed after it. */
function openTree(index: string, files: string): { layer: ImageTree; closeContents: () => void } {
  const contents = openSync(files, 'r');
  try {
    return { layer: openImageTree(index, contents, contentAsker(files)), closeContents: () => closeSync(contents) };
  } catch (error) {
    closeSync(contents);
    throw error;
  }
}
