import { describe, expect, test } from 'vitest';
import type { Container, ContainerConfig, ContainerState } from '../../engine/container.ts';
import { parseFilters } from '../filters.ts';
import { formatRows } from '../output/row-format.ts';
import { containerFilters } from './container-filters.ts';
import { CONTAINER_TABLE, containerRow } from './container-row.ts';
import { formatPorts, type ListedPort } from './port-list.ts';

const now = new Date('2026-11-20T12:00:00Z');

function container(request: object, state: Partial<ContainerState>, config: Partial<ContainerConfig> = {}): Container {
  return {
    folder: '/none',
    config: {
      version: 1,
      id: 'abcdef0123456789'.repeat(4),
      name: 'box',
      created: '2026-11-20T11:00:00Z',
      command: ['sh', '-c', 'echo "hello world"'],
      writable: 'kernel',
      volumes: {},
      request: {
        image: 'debian:bookworm',
        options: {},
        mounts: [],
        ports: [],
        labels: {},
        network: 'bridge',
        ...request,
      } as unknown as ContainerConfig['request'],
      ...config,
    },
    state: { status: 'created', starts: 0, logStart: 0, ...state },
  };
}

const running = container({}, { status: 'running', startedAt: '2026-11-20T11:57:00Z' });
const exited = container({}, { status: 'exited', exitCode: 3, finishedAt: '2026-11-20T10:00:00Z' });

test('the table of ps', () => {
  expect(formatRows([containerRow(running, now, true)], CONTAINER_TABLE)).toEqual([
    'CONTAINER ID   IMAGE             COMMAND                   CREATED             STATUS         PORTS     NAMES',
    `abcdef012345   debian:bookworm   "sh -c 'echo \\"hello …"   About an hour ago   Up 3 minutes             box`,
  ]);
});

test('without shortening', () => {
  const row = containerRow(container({}, {}, { volumes: { '/v': 'f'.repeat(64) } }), now, false);
  expect(row).toMatchObject({
    ID: 'abcdef0123456789'.repeat(4),
    Command: `"sh -c 'echo \\"hello world\\"'"`,
    Mounts: 'f'.repeat(64),
    LocalVolumes: '1',
    Status: 'Created',
  });
});

test('states', () => {
  expect(containerRow(exited, now, true)).toMatchObject({ State: 'exited', Status: 'Exited (3) 2 hours ago' });
});

test('labels by name and all together', () => {
  const rows = [containerRow(container({ labels: { b: '2', a: '1' } }, {}), now, true)];
  expect(formatRows(rows, CONTAINER_TABLE, '{{.Labels}} {{.Label "b"}} [{{.Label "c"}}]')).toEqual(['a=1,b=2 2 []']);
});

describe('ports', () => {
  function port(hostPort: number, containerPort: number, hostAddress = '0.0.0.0', protocol: 'tcp' | 'udp' = 'tcp') {
    return { hostPort, containerPort, hostAddress, protocol } satisfies ListedPort;
  }

  test.each<[ListedPort[], string]>([
    [[], ''],
    [[port(8080, 80)], '0.0.0.0:8080->80/tcp'],
    [[port(9001, 9001), port(9000, 9000), port(9002, 9002)], '0.0.0.0:9000-9002->9000-9002/tcp'],
    [[port(8080, 80), port(8443, 443)], '0.0.0.0:8080->80/tcp, 0.0.0.0:8443->443/tcp'],
    [[port(53, 53), port(53, 53, '0.0.0.0', 'udp')], '0.0.0.0:53->53/tcp, 0.0.0.0:53->53/udp'],
    [[port(80, 80), port(80, 80, '::')], '0.0.0.0:80->80/tcp, [::]:80->80/tcp'],
    [[port(1, 81), port(3, 82)], '0.0.0.0:1->81/tcp, 0.0.0.0:3->82/tcp'],
  ])('%j', (ports, text) => {
    expect(formatPorts(ports)).toBe(text);
  });
});

describe('filters', () => {
  const known = containerFilters([
    { name: 'none', id: 'fedcba' },
    { name: 'other', id: '012345' },
  ]);
  const thing = container(
    { labels: { team: 'a', tier: 'web' }, network: 'none', mounts: [{ type: 'bind', source: '/src', target: '/dst' }] },
    { status: 'exited', exitCode: 3 },
    { name: 'web-1', image: { id: `sha256:${'12'.repeat(32)}`, manifest: 'm' }, volumes: { '/v': 'data' } },
  );

  test.each<[string[], boolean]>([
    [[], true],
    [['name=web'], true],
    [['name=^web-\\d$'], true],
    [['name=/web-1'], true],
    [['name=db', 'name=web'], true],
    [['name=db'], false],
    [['id=abcdef'], true],
    [['id=bcdef'], false],
    [['status=exited'], true],
    [['status=running'], false],
    [['exited=3'], true],
    [['exited=0'], false],
    [['label=team'], true],
    [['label=team=a', 'label=tier=web'], true],
    [['label=team=a', 'label=tier=db'], false],
    [['name=web', 'status=running'], false],
    [['ancestor=debian:bookworm'], true],
    [['ancestor=debian'], false],
    [['ancestor=121212121212'], true],
    [['network=none'], true],
    [['network=fedc'], true],
    [['network=0123'], false],
    [['network='], false],
    [['volume=data'], true],
    [['volume=/dst'], true],
    [['volume=other'], false],
  ])('%j', (filters, passes) => {
    expect(parseFilters(filters, known)(thing)).toBe(passes);
  });

  test.each([
    ['status=odd', "invalid filter 'status=odd'"],
    ['exited=x', "invalid filter 'exited=x'"],
    ['name=(', "invalid filter 'name=('"],
    ['colour=red', "invalid filter 'colour'"],
    ['name', 'bad format of filter (expected name=value): name'],
    ['constructor=1', "invalid filter 'constructor'"],
  ])('%s is wrong', (filter, message) => {
    expect(() => parseFilters([filter], known)(thing)).toThrow(message);
  });
});
