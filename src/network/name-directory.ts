/**
 * Who is on which user-defined network under which names, as a file that all network processes read: a container on two
 * networks asks the process of one, and is told of the other's containers as well. The agent alone writes it, replacing
 * it as a whole; it is worthless after a reboot.
 */
import { renameSync, writeFileSync } from 'node:fs';

export interface DirectoryEntry {
  readonly names: readonly string[];
  /** Of both versions, as text. */
  readonly addresses: readonly string[];
}

/** Network -> container -> its entry. */
export type NameTable = Readonly<Record<string, Readonly<Record<string, DirectoryEntry>>>>;

export class NameDirectory {
  readonly #path: string;
  readonly #networks = new Map<string, Map<string, DirectoryEntry>>();

  constructor(path: string) {
    this.#path = path;
  }

  set(network: string, container: string, entry: DirectoryEntry): void {
    const members = this.#networks.get(network) ?? new Map<string, DirectoryEntry>();
    this.#networks.set(network, members.set(container, entry));
    this.#write();
  }

  remove(network: string, container: string): void {
    if (this.#networks.get(network)?.delete(container) === true) this.#write();
  }

  #write(): void {
    const table: NameTable = Object.fromEntries(
      [...this.#networks].map(([network, members]) => [network, Object.fromEntries(members)]),
    );
    writeFileSync(`${this.#path}.tmp`, JSON.stringify(table), { mode: 0o600 });
    renameSync(`${this.#path}.tmp`, this.#path);
  }
}
