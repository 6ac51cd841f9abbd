import { describe, expect, test } from 'vitest';
import { unixPaths } from './address.ts';
import { marshal } from './marshal.ts';
import { decodeMessage, encodeMessage, type Message, MESSAGE_TYPE } from './message.ts';
import { completeTypes, type Value } from './signature.ts';
import { Reader } from './unmarshal.ts';

describe('values', () => {
  test.each<[string, Value[]]>([
    ['ybnqiuxtd', [255, true, -2, 65535, -3, 4294967295, -(2n ** 63n), 2n ** 64n - 1n, 1.5]],
    ['sog', ['text ü', '/a/b', 'a(sv)']],
    ['as', [['a', 'bc', '']]],
    ['at', [[]]],
    ['yat', [1, [5n]]],
    [
      'a(sv)',
      [
        [
          ['PIDs', { signature: 'au', value: [1, 2] }],
          ['Delegate', { signature: 'b', value: true }],
        ],
      ],
    ],
    ['a{sv}', [[['k', { signature: 'v', value: { signature: 's', value: 'nested' } }]]]],
    ['(y(t))s', [[1, [2n]], 'end']],
  ])('%s survive', (signature, values) => {
    const bytes = marshal(signature, values);
    const reader = new Reader(bytes, true);
    expect(reader.read(signature)).toEqual(values);
    expect(reader.position).toBe(bytes.length);
  });

  test('lie where the specification puts them', () => {
    // An array's length leaves out the padding of four bytes before its first element.
    expect(marshal('at', [[1n]]).toString('hex')).toBe('08000000' + '00000000' + '0100000000000000');
    expect(marshal('ys', [1, 'ab']).toString('hex')).toBe('01000000' + '02000000' + '616200');
    expect(marshal('v', [{ signature: 'u', value: 7 }]).toString('hex')).toBe('017500' + '00' + '07000000');
  });

  test.each(['z', 'a', '(s', 's)', '{s', 'a'.repeat(40) + 's', '()x}'])('%s is no signature', (signature) => {
    expect(() => completeTypes(signature)).toThrow('invalid D-Bus signature');
  });
});

const call: Message = {
  type: MESSAGE_TYPE.METHOD_CALL,
  serial: 7,
  path: '/org/example',
  interface: 'org.example.I',
  member: 'M',
  destination: 'org.example',
  signature: 'su',
  body: ['hello', 5],
};

describe('messages', () => {
  test('survive', () => {
    const bytes = encodeMessage(call);
    expect(decodeMessage(Buffer.concat([bytes, Buffer.from('more')]))).toEqual({ message: call, length: bytes.length });
    expect(decodeMessage(encodeMessage({ type: 2, serial: 1, replySerial: 7, body: [] }))?.message.body).toEqual([]);
  });

  test('are awaited until they are whole', () => {
    const bytes = encodeMessage(call);
    for (let length = 0; length < bytes.length; length++)
      expect(decodeMessage(bytes.subarray(0, length))).toBeUndefined();
  });

  test('in the other byte order', () => {
    // A big-endian METHOD_RETURN of serial 1 to 2 without a body.
    const bytes = Buffer.from('42020001' + '00000000' + '00000001' + '00000008' + '05017500' + '00000002', 'hex');
    expect(decodeMessage(bytes)?.message).toEqual({ type: 2, serial: 1, replySerial: 2, body: [] });
  });

  test('never do worse than throw', () => {
    const bytes = encodeMessage(call);
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 1, 0x61, 0x7f, 0x80, 0xff]) {
        const broken = Buffer.from(bytes);
        broken[at] = value;
        try {
          decodeMessage(broken);
        } catch (error) {
          expect((error as Error).message).toMatch(/D-Bus/);
        }
      }
    }
  });
});

test('addresses', () => {
  expect(unixPaths('unix:path=/run/user/1000/bus,guid=abc;tcp:host=x;unix:abstract=/tmp/a%20b')).toEqual([
    '/run/user/1000/bus',
    '\0/tmp/a b',
  ]);
  expect(unixPaths('')).toEqual([]);
});
