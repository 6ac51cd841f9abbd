import { expect, test } from 'vitest';
import { answer, type Handlers } from './control-server.ts';
import type { ProcessEndpoint } from './protocol.ts';

const seen: unknown[] = [];

const handlers: Handlers = {
  hello: () => ({ identity: 'i', pid: 1 }),
  add: ({ endpoint }) => {
    seen.push(endpoint);
    if (endpoint.container === 'taken') {
      throw Object.assign(new Error('in use'), { code: 'EADDRINUSE', hostAddress: '::', hostPort: 80, secret: 1 });
    }
    return { ports: [] };
  },
  update: () => ({}),
  flows: () => ({ flows: [], stats: {} }),
  remove: () => ({}),
  synchronize: ({ endpoints }) => {
    seen.push(endpoints);
    return {};
  },
  status: () => ({ pid: 1, endpoints: [], stats: {} }),
  leave: () => ({}),
};

const endpoint: ProcessEndpoint = {
  container: 'a',
  address: '10.88.0.2',
  mac: '02:42:0a:58:00:02',
  names: ['a'],
  ports: [{ protocol: 'tcp', hostAddress: '::1', hostPort: 0, hostPortEnd: 9, containerPort: 80 }],
};

function ask(request: unknown): unknown {
  return answer(JSON.stringify(request), handlers);
}

test('a request is answered under its id', () => {
  expect(ask({ id: 7, method: 'hello', params: {} })).toEqual({
    id: 7,
    result: { identity: 'i', pid: 1 },
  });
  expect(ask({ id: 8, method: 'add', params: { endpoint } })).toEqual({ id: 8, result: { ports: [] } });
  expect(seen.pop()).toEqual(endpoint);
  expect(ask({ id: 9, method: 'synchronize', params: { endpoints: [endpoint] } })).toEqual({ id: 9, result: {} });
  expect(seen.pop()).toEqual([endpoint]);
});

test('a refusal says which port, and nothing more of the error', () => {
  expect(ask({ id: 1, method: 'add', params: { endpoint: { ...endpoint, container: 'taken' } } })).toEqual({
    id: 1,
    error: { message: 'in use', code: 'EADDRINUSE', port: { hostAddress: '::', hostPort: 80 } },
  });
});

test.each([
  ['', /JSON/],
  ['null', /null/],
  ['[]', /unknown method/],
  ['{"id":1,"method":"toString"}', /unknown method "toString"/],
  ['{"id":1,"method":"__proto__"}', /unknown method/],
  ['{"id":1,"method":"add"}', /address is no string/],
  ['{"id":1,"method":"remove","params":{"container":3}}', /container is no string/],
  ['{"id":1,"method":"synchronize","params":{"endpoints":{}}}', /endpoints is no list/],
  [JSON.stringify({ method: 'add', params: { endpoint: { ...endpoint, address: '10.88.0' } } }), /invalid address/],
  [JSON.stringify({ method: 'add', params: { endpoint: { ...endpoint, mac: 'ff' } } }), /invalid MAC/],
  [JSON.stringify({ method: 'add', params: { endpoint: { ...endpoint, ports: [{}] } } }), /invalid protocol/],
  [
    JSON.stringify({
      method: 'add',
      params: { endpoint: { ...endpoint, ports: [{ protocol: 'tcp', hostPort: 65536, containerPort: 1 }] } },
    }),
    /invalid port 65536/,
  ],
])('%s is refused', (line, message) => {
  const before = seen.length;
  expect(answer(line, handlers)).toMatchObject({ error: { message: expect.stringMatching(message) as string } });
  expect(seen).toHaveLength(before);
});
