/**
 * The DNS server of the containers: answers names that it is told, passes everything else on unread. Holds no cache: the host's
 * resolvers have one.
 */
import { IpAddress } from '../wire/address.ts';
import {
  DNS_CLASS_IN,
  DNS_TYPE,
  RCODE,
  answeredAddresses,
  buildAnswer,
  buildError,
  encodeName,
  parseQuery,
} from '../wire/dns.ts';
import type { DnsQuestion, DnsRecord } from '../wire/dns.ts';

/** Local names change when containers come and go. */
const TTL_S = 0;

export type NamedType = 'A' | 'AAAA' | 'PTR';

const TYPE_NAME: Readonly<Record<number, NamedType>> = {
  [DNS_TYPE.A]: 'A',
  [DNS_TYPE.AAAA]: 'AAAA',
  [DNS_TYPE.PTR]: 'PTR',
};

/** The addresses (for PTR: names) of a local name; undefined: not a local name. */
export type LocalNames = (question: { name: string; type: NamedType }, from: string) => readonly string[] | undefined;

/** Asks the host's resolvers; calls back once, with undefined when none answered. */
export type Upstream = (query: Uint8Array, done: (answer: Uint8Array | undefined) => void) => void;

/** Who may ask what, and who was told what. Names are in lower case, without the final dot; `from` is the asker's address. */
export interface DnsPolicy {
  /** Whether a name that is not local may be asked of the host's resolvers; else the query is refused. */
  permits(name: string, from: string): boolean;
  /** These addresses were the answer to a question for the name; ttl in seconds. */
  answered(name: string, from: string, addresses: readonly { address: IpAddress; ttl: number }[]): void;
}

export class DnsServer {
  readonly counters = { queries: 0, answeredLocally: 0, forwarded: 0, failed: 0 };
  readonly #names: LocalNames;
  readonly #policy: DnsPolicy | undefined;

  constructor(names: LocalNames, policy?: DnsPolicy) {
    this.#names = names;
    this.#policy = policy;
  }

  /** Handles a query that arrived from `from`; `respond` is called once, now or later, unless false is returned. */
  handle(
    query: Uint8Array,
    from: string,
    upstream: Upstream,
    respond: (answer: Uint8Array, udpSize: number) => void,
  ): boolean {
    const parsed = parseQuery(query);
    if (parsed.kind === 'ignore') return false;
    this.counters.queries++;
    if (parsed.kind === 'refuse') {
      respond(buildError(parsed.id, parsed.rcode), Infinity);
      return true;
    }
    const { question, udpSize } = parsed;
    const local = this.#local(question, from);
    if (local) {
      this.counters.answeredLocally++;
      const answer = buildAnswer(query, question, RCODE.NO_ERROR, local);
      this.#policy?.answered(question.name, from, answeredAddresses(answer));
      respond(answer, udpSize);
      return true;
    }
    if (this.#policy?.permits(question.name, from) === false) {
      respond(buildAnswer(query, question, RCODE.REFUSED, []), udpSize);
      return true;
    }
    this.counters.forwarded++;
    upstream(query, (answer) => {
      if (!answer) this.counters.failed++;
      else this.#policy?.answered(question.name, from, answeredAddresses(answer));
      respond(answer ?? buildAnswer(query, question, RCODE.SERVER_FAILURE, []), udpSize);
    });
    return true;
  }

  #local(question: DnsQuestion, from: string): readonly DnsRecord[] | undefined {
    if (question.class !== DNS_CLASS_IN) return undefined;
    const type = TYPE_NAME[question.type];
    if (!type) {
      // Another type of a name that is ours does not exist, and is nobody else's to answer.
      return this.#names({ name: question.name, type: 'A' }, from) === undefined ? undefined : [];
    }
    const values = this.#names({ name: question.name, type }, from);
    return values?.flatMap((value) => record(type, value) ?? []);
  }
}

function record(type: NamedType, value: string): DnsRecord | undefined {
  if (type === 'PTR') {
    const data = encodeName(value);
    return data && { type: DNS_TYPE.PTR, ttl: TTL_S, data };
  }
  const address = IpAddress.parse(value);
  if (address?.version !== (type === 'A' ? 4 : 6)) return undefined;
  return { type: DNS_TYPE[type], ttl: TTL_S, data: address.bytes };
}
