import { describe, expect, it } from 'vitest';
import { DNS, DNS_TYPE, RCODE, encodeName } from '../wire/dns.ts';
import { DnsServer } from './dns-server.ts';

function query(name: string, type: number): Uint8Array {
  return Uint8Array.of(7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...encodeName(name)!, 0, type, 0, 1);
}

function ask(server: DnsServer, message: Uint8Array, upstream?: Uint8Array): Uint8Array | undefined {
  let answer: Uint8Array | undefined;
  server.handle(
    message,
    '10.0.0.5',
    (_, done) => done(upstream),
    (bytes) => (answer = bytes),
  );
  return answer;
}

function server(): DnsServer {
  return new DnsServer(({ name, type }, from) => {
    if (name === 'db') return type === 'A' ? ['10.0.0.7', '10.0.0.8'] : [];
    if (name === 'me') return type === 'A' ? [from] : [];
    if (name === '7.0.0.10.in-addr.arpa') return ['db'];
    return undefined;
  });
}

describe('DnsServer', () => {
  it('answers local names with all their addresses', () => {
    const answer = ask(server(), query('DB', DNS_TYPE.A))!;
    expect(answer[DNS.answers + 1]).toBe(2);
    expect([...answer.subarray(-4)]).toEqual([10, 0, 0, 8]);
  });

  it('knows who asks', () => {
    expect([...ask(server(), query('me', DNS_TYPE.A))!.subarray(-4)]).toEqual([10, 0, 0, 5]);
  });

  it('answers the reverse', () => {
    expect([...ask(server(), query('7.0.0.10.in-addr.arpa', DNS_TYPE.PTR))!.subarray(-4)]).toEqual([2, 0x64, 0x62, 0]);
  });

  it('does not send questions about local names outside, whatever their type', () => {
    for (const type of [DNS_TYPE.AAAA, 16, 65]) {
      const dns = server();
      const answer = ask(dns, query('db', type), Uint8Array.of(1))!;
      expect([answer[DNS.answers + 1], answer[3]! & 0xf, dns.counters.forwarded]).toEqual([0, RCODE.NO_ERROR, 0]);
    }
  });

  it('passes others on, and says so when nobody answers', () => {
    const dns = server();
    const reply = Uint8Array.of(1, 2, 3);
    expect(ask(dns, query('example.org', DNS_TYPE.A), reply)).toBe(reply);
    expect(ask(dns, query('example.org', DNS_TYPE.A))![3]! & 0xf).toBe(RCODE.SERVER_FAILURE);
    expect(dns.counters).toEqual({ queries: 2, answeredLocally: 0, forwarded: 2, failed: 1 });
  });

  it('tells what was answered, and refuses what may not be asked', () => {
    const told: string[] = [];
    const policy = {
      permits: (name: string) => name !== 'secret.example',
      answered: (name: string, from: string, addresses: readonly { address: { toString(): string }; ttl: number }[]) =>
        void told.push(
          `${from} ${name} ${addresses.map(({ address, ttl }) => `${address.toString()}/${ttl}`).join(' ')}`,
        ),
    };
    const strict = new DnsServer(({ name }) => (name === 'db' ? ['10.0.0.7'] : undefined), policy);
    ask(strict, query('db', DNS_TYPE.A));
    const question = query('www.example', DNS_TYPE.A);
    // A CNAME with a pointer to the question, then an address of the other name.
    const alias = [0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12];
    const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 192, 0, 2, 1];
    const answer = Uint8Array.of(...question, ...alias, ...record);
    answer.set([0x81, 0x80], DNS.flags);
    answer[DNS.answers + 1] = 2;
    ask(strict, question, answer);
    // One that is cut short is passed on all the same.
    ask(strict, question, answer.subarray(0, -2));
    expect(ask(strict, query('secret.example', DNS_TYPE.A), answer)![3]! & 15).toBe(RCODE.REFUSED);
    expect(told).toEqual(['10.0.0.5 db 10.0.0.7/0', '10.0.0.5 www.example 192.0.2.1/256', '10.0.0.5 www.example ']);
  });
});
