/**
 * Which names containers have, as a container of the network sees them: its own links first, then everybody of this
 * network, then everybody of the other networks that it is on. Each name is also one with the network's name behind it,
 * as Docker has it: `web` is `web.front`.
 */
import { isIP } from 'node:net';
import type { Question } from 'netstack';
import { parseAddress6, formatAddress6 } from '../ipv6.ts';
import type { NameTable } from '../name-directory.ts';
import type { ForeignNames } from './foreign-names.ts';
import type { ProcessEndpoint } from './protocol.ts';

interface Named {
  readonly container: string;
  readonly names: readonly string[];
  readonly addresses: readonly string[];
  readonly links: ReadonlyMap<string, string>;
}

const versions = { A: 4, AAAA: 6 } as const;

export class NetworkNames {
  readonly #network: string;
  readonly #foreign: ForeignNames | undefined;
  readonly #members = new Map<string, Named>();
  readonly #byAddress = new Map<string, Named>();
  readonly #byName = new Map<string, Set<Named>>();

  constructor(network: string, foreign: ForeignNames | undefined) {
    this.#network = network;
    this.#foreign = foreign;
  }

  /** Adds a container, or replaces what was known of it. */
  set({ container, address, address6, names, links = {} }: ProcessEndpoint): void {
    this.delete(container);
    const member: Named = {
      container,
      names,
      addresses: [address, ...(address6 === undefined ? [] : [address6])],
      links: new Map(Object.entries(links).map(([alias, name]) => [alias.toLowerCase(), name.toLowerCase()])),
    };
    this.#members.set(container, member);
    for (const each of member.addresses) this.#byAddress.set(each, member);
    for (const name of spellings(names, this.#network)) {
      this.#byName.set(name, (this.#byName.get(name) ?? new Set()).add(member));
    }
  }

  delete(container: string): void {
    const member = this.#members.get(container);
    if (member === undefined) return;
    this.#members.delete(container);
    for (const each of member.addresses) if (this.#byAddress.get(each) === member) this.#byAddress.delete(each);
    for (const name of spellings(member.names, this.#network)) {
      const holders = this.#byName.get(name);
      holders?.delete(member);
      if (holders?.size === 0) this.#byName.delete(name);
    }
  }

  /** Answers a question, see GatewayOptions.names. @param from address of who asks */
  resolve(question: Question, from: string): string[] | undefined {
    const asker = this.#byAddress.get(from);
    if (question.type === 'PTR') return this.#resolveAddress(question.name, asker);
    const addresses = this.#find(question.name, asker);
    return addresses?.filter((address) => isIP(address) === versions[question.type as keyof typeof versions]);
  }

  #find(name: string, asker: Named | undefined): string[] | undefined {
    const linked = asker?.links.get(name);
    const holders = (linked === undefined ? undefined : this.#byName.get(linked)) ?? this.#byName.get(name);
    if (holders !== undefined) return [...holders].flatMap(({ addresses }) => addresses);
    const found = this.#foreignMembers(asker).filter(
      ([network, { names }]) =>
        spellings(names, network).includes(linked ?? name) || spellings(names, network).includes(name),
    );
    return found.length === 0 ? undefined : found.flatMap(([, { addresses }]) => addresses);
  }

  #resolveAddress(name: string, asker: Named | undefined): string[] | undefined {
    const address = reverseName(name);
    if (address === undefined) return undefined;
    const holder = this.#byAddress.get(address);
    if (holder?.names[0] !== undefined) return [`${holder.names[0]}.${this.#network}`];
    for (const [network, { names, addresses }] of this.#foreignMembers(asker)) {
      if (addresses.includes(address) && names[0] !== undefined) return [`${names[0]}.${network}`];
    }
    return undefined;
  }

  /** Everybody on the other networks that the asker is on, each with the network. */
  #foreignMembers(asker: Named | undefined): [network: string, NameTable[string][string]][] {
    if (asker === undefined || this.#foreign === undefined) return [];
    return Object.entries(this.#foreign())
      .filter(([network, members]) => network !== this.#network && Object.hasOwn(members, asker.container))
      .flatMap(([network, members]) =>
        Object.values(members).map((member) => [network, member] as [string, typeof member]),
      );
  }
}

function spellings(names: readonly string[], network: string): string[] {
  return names.flatMap((name) => [name.toLowerCase(), `${name}.${network}`.toLowerCase()]);
}

/** The address that a name of in-addr.arpa (RFC 1035, 3.5) or ip6.arpa (RFC 3596, 2.5) stands for. */
function reverseName(name: string): string | undefined {
  const [, dotted] = /^((?:\d{1,3}\.){4})in-addr\.arpa$/.exec(name) ?? [];
  if (dotted !== undefined) return dotted.slice(0, -1).split('.').reverse().join('.');
  const [, nibbles] = /^((?:[\da-f]\.){32})ip6\.arpa$/.exec(name) ?? [];
  if (nibbles === undefined) return undefined;
  const hex = nibbles.split('.').reverse().join('');
  const address = parseAddress6(hex.match(/.{4}/g)!.join(':'));
  return address === undefined ? undefined : formatAddress6(address);
}
