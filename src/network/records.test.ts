import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type EndpointRecord, type NetworkRecord, NetworkRecords } from './records.ts';

let folder: string;
let records: NetworkRecords;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trun-records-'));
  records = new NetworkRecords(join(folder, 'networks'));
});

afterEach(() => rmSync(folder, { recursive: true }));

const network: NetworkRecord = {
  name: 'bridge',
  id: 'ab',
  driver: 'bridge',
  subnet: '10.88.0.0/16',
  gateway: '10.88.0.1',
  mtu: 1500,
  created: '2026-01-01T00:00:00.000Z',
};
const endpoint: EndpointRecord = {
  container: 'c1',
  id: 'e1',
  address: '10.88.0.2',
  mac: '02:42:0a:58:00:02',
  names: [],
  ports: [],
};

test('nothing there is an empty list', () => {
  expect([records.networks(), records.endpoints('bridge'), records.network('bridge')]).toEqual([[], [], undefined]);
  records.removeEndpoint('bridge', 'c1');
});

test('networks and endpoints are read back, and replaced', () => {
  records.saveNetwork(network);
  records.saveEndpoint('bridge', endpoint);
  records.saveEndpoint('bridge', { ...endpoint, address: '10.88.0.3' });
  expect(records.networks()).toEqual([network]);
  expect(records.endpoints('bridge')).toEqual([{ ...endpoint, address: '10.88.0.3' }]);
  records.removeEndpoint('bridge', 'c1');
  expect(records.endpoints('bridge')).toEqual([]);
});

test('a record that a power failure cut short is removed', () => {
  records.saveEndpoint('bridge', endpoint);
  writeFileSync(join(folder, 'networks/bridge.d/c2.json'), '');
  writeFileSync(join(folder, 'networks/bridge.d/c3.json.tmp'), '{"container":');
  expect(records.endpoints('bridge')).toEqual([endpoint]);
  expect(readdirSync(join(folder, 'networks/bridge.d'))).not.toContain('c2.json');
});
