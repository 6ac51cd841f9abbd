import { describe, expect, it } from 'vitest';
import { seededRandom } from '../link/fault-injector.ts';
import { DNS, DNS_TYPE, RCODE, answers, buildAnswer, buildError, encodeName, parseQuery, truncate } from './dns.ts';

/** A query by hand: header, name, type, class IN. */
export function query(name: string, type: number, id = 0x1234): Uint8Array {
  const labels = encodeName(name)!;
  return Uint8Array.of(id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, type, 0, 1);
}

describe('DNS messages', () => {
  it('reads a query, in any case', () => {
    const parsed = parseQuery(query('Db.Example', DNS_TYPE.A));
    expect(parsed).toMatchObject({
      kind: 'query',
      id: 0x1234,
      question: { name: 'db.example', type: 1, class: 1 },
      udpSize: 512,
    });
  });

  it('reads the size of EDNS', () => {
    const base = query('a.b', DNS_TYPE.AAAA);
    const edns = Uint8Array.of(...base, 0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0);
    edns[DNS.additionals + 1] = 1;
    expect(parseQuery(edns)).toMatchObject({ udpSize: 4096 });
  });

  it('escapes what would pass for another name', () => {
    const message = query('ab', DNS_TYPE.A);
    message[DNS.size + 1] = 0x2e;
    expect(parseQuery(message)).toMatchObject({ question: { name: '\\046b' } });
  });

  it('refuses what it can’t read, and ignores answers', () => {
    const good = query('a.example', DNS_TYPE.A);
    expect(parseQuery(good.subarray(0, 11)).kind).toBe('ignore');
    expect(parseQuery(buildError(1, 0)).kind).toBe('ignore');
    expect(parseQuery(good.subarray(0, 20))).toMatchObject({ kind: 'refuse', rcode: RCODE.FORMAT_ERROR });
    const pointer = Uint8Array.from(good);
    pointer[DNS.size] = 0xc0;
    expect(parseQuery(pointer)).toMatchObject({ kind: 'refuse' });
    const status = Uint8Array.from(good);
    status[2] = 0x10;
    expect(parseQuery(status)).toMatchObject({ kind: 'refuse', rcode: RCODE.NOT_IMPLEMENTED });
  });

  it('builds an answer that answers', () => {
    const message = query('db', DNS_TYPE.A);
    const parsed = parseQuery(message);
    if (parsed.kind !== 'query') throw new Error('not a query');
    const answer = buildAnswer(message, parsed.question, RCODE.NO_ERROR, [
      { type: DNS_TYPE.A, ttl: 5, data: Uint8Array.of(10, 0, 0, 7) },
    ]);
    expect([...answer.subarray(-16)]).toEqual([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 0, 0, 7]);
    expect(answers(message, answer)).toBe(true);
    expect(answers(query('dc', DNS_TYPE.A), answer)).toBe(false);
    expect(answers(query('db', DNS_TYPE.AAAA), answer)).toBe(false);
    const cut = truncate(answer, 20);
    expect([cut.length, cut[2]! & 2]).toEqual([parsed.question.end, 2]);
  });

  it('survives anything', () => {
    const random = seededRandom(11);
    const good = query('some.name.example', DNS_TYPE.A);
    for (let round = 0; round < 20_000; round++) {
      const message = Uint8Array.from(good.subarray(0, Math.floor(random() * (good.length + 1))));
      for (let flips = 0; flips < 4 && message.length > 0; flips++)
        message[Math.floor(random() * message.length)] = Math.floor(random() * 256);
      parseQuery(message);
      truncate(message, 30);
      answers(good, message);
    }
  });
});
