import { expect, test } from 'vitest';
import { encodeAttributes, encodeStruct } from './netlink-attributes.ts';
import { errorAttributes, messageFlags, nlmsghdr } from './netlink-messages.ts';
import { createBridge, deleteLink } from './netlink-requests.ts';
import { errorOf, messages } from './netlink.ts';

const request = createBridge('trun0');

/** The body of an NLMSG_ERROR as the kernel writes it: errno, the request (or its header), attributes. */
function refusal(errno: number, capped: boolean, words?: string): Buffer {
  const number = Buffer.alloc(4);
  number.writeInt32LE(-errno);
  const header = encodeStruct(nlmsghdr, { length: nlmsghdr.size + request.body.length });
  return Buffer.concat([
    number,
    header,
    ...(capped ? [] : [request.body]),
    ...(words === undefined ? [] : [encodeAttributes(errorAttributes, { message: words })]),
  ]);
}

test('a refusal names action, object and the kernel’s words', () => {
  const { capped, ackAttributes } = messageFlags;
  expect(errorOf(0, refusal(1, false), request)).toMatchObject({
    code: 'EPERM',
    errno: -1,
    syscall: 'netlink',
    message: 'Cannot create bridge trun0: operation not permitted (EPERM)',
  });
  const told = 'Cannot create bridge trun0: operation not supported on socket: Unknown device type (ENOTSUP)';
  for (const isCapped of [true, false]) {
    const body = refusal(95, isCapped, 'Unknown device type');
    expect(errorOf(ackAttributes | (isCapped ? capped : 0), body, request)?.message).toBe(told);
  }
});

test('zero is an acknowledgement, and so is what the request tolerates', () => {
  expect(errorOf(0, refusal(0, true), request)).toBeUndefined();
  expect(errorOf(0, refusal(19, true), deleteLink('v7'))).toBeUndefined();
  expect(errorOf(0, refusal(19, true), request)?.code).toBe('ENODEV');
});

test('several messages in one receive, and one that is cut short', () => {
  const one = Buffer.concat([encodeStruct(nlmsghdr, { length: 18, type: 2, sequence: 7 }), Buffer.from([1, 2, 0, 0])]);
  const two = Buffer.concat([encodeStruct(nlmsghdr, { length: 17, type: 3, sequence: 8 }), Buffer.from([9])]);
  expect(messages(Buffer.concat([one, two]))).toEqual([
    { type: 2, flags: 0, sequence: 7, body: Buffer.from([1, 2]) },
    { type: 3, flags: 0, sequence: 8, body: Buffer.from([9]) },
  ]);
  expect(messages(Buffer.concat([one, two.subarray(0, 16)]))).toHaveLength(1);
  expect(messages(Buffer.alloc(64))).toEqual([]);
});
