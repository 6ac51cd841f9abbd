import { describe, expect, test } from 'vitest';
import { parseImageConfig, type ImageConfig } from './config.ts';
import { digestOf } from './digest.ts';

const diffId = digestOf('layer');

function parse(document: object): ImageConfig {
  const rootfs = { type: 'layers', diff_ids: [diffId] };
  return parseImageConfig(
    Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs, ...document })),
    'app',
  );
}

test('all that Docker writes', () => {
  const config = {
    User: 'www-data:33',
    ExposedPorts: { '80/tcp': {}, '53/udp': {} },
    Env: ['PATH=/bin', 'EMPTY='],
    Entrypoint: ['/entry'],
    Cmd: ['arg'],
    Volumes: { '/data': {} },
    WorkingDir: '/work',
    Labels: { a: 'b' },
    StopSignal: 'SIGQUIT',
    Healthcheck: { Test: ['CMD', 'true'], Interval: 5_000_000_000, Retries: 3 },
    Shell: ['/bin/bash', '-c'],
    OnBuild: ['RUN true'],
  };
  const parsed = parse({
    created: '2024-01-02T03:04:05.6Z',
    author: 'me',
    variant: 'v3',
    config,
    history: [{ created_by: 'ADD x', empty_layer: true }, { comment: 'c' }],
  });
  expect(parsed).toMatchObject({
    platform: { os: 'linux', architecture: 'amd64', variant: 'v3' },
    created: '2024-01-02T03:04:05.6Z',
    author: 'me',
    config: { ...config, ExposedPorts: ['80/tcp', '53/udp'], Volumes: ['/data'] },
    diffIds: [diffId],
    history: [
      { createdBy: 'ADD x', emptyLayer: true },
      { comment: 'c', emptyLayer: false },
    ],
  });
});

test("Go's null is absence", () => {
  const nothing = {
    Env: null,
    Cmd: null,
    Entrypoint: null,
    Volumes: null,
    Labels: null,
    ExposedPorts: null,
    Healthcheck: null,
  };
  expect(parse({ config: nothing, history: null }).config).toEqual({});
  expect(parse({ config: null }).config).toEqual({});
  expect(parse({}).history).toEqual([]);
});

describe('what is malformed is said', () => {
  test.each<[object, string]>([
    [{ rootfs: { type: 'layers', diff_ids: ['sha256:short'] } }, 'invalid checksum digest format'],
    [{ rootfs: { type: 'layers', diff_ids: [`sha512:${'0'.repeat(128)}`] } }, 'unsupported digest algorithm'],
    [{ rootfs: { type: 'other' } }, 'no list of layers'],
    [{ config: [] }, 'config is not an object'],
    [{ config: { Env: [1] } }, 'Env is not a list of strings'],
    [{ config: { Labels: { a: 1 } } }, 'Labels is not a map of strings'],
    [{ config: { User: 0 } }, 'User is not a string'],
    [{ config: { ExposedPorts: ['80'] } }, 'ExposedPorts is not a set'],
    [{ config: { Healthcheck: { Interval: -1 } } }, 'Interval is not a number'],
    [{ config: { Volumes: { '/a\0b': {} } } }, 'NUL'],
    [{ history: ['x'] }, 'history is malformed'],
    [{ created: 5 }, 'created is not a string'],
  ])('%j', (document, message) => {
    expect(() => parse(document)).toThrow(message);
  });

  test('no JSON at all', () => {
    expect(() => parseImageConfig(Buffer.from('<html>'), 'app')).toThrow('The config of app is not JSON');
    expect(() => parseImageConfig(Buffer.from('[]'), 'app')).toThrow('is not a JSON object');
  });
});
