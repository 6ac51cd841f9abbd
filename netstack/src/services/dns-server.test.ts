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
});
