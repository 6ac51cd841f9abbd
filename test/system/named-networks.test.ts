/**
 * Networks that a user makes: names, walls between them, connecting and disconnecting, and coming back.
 *
 * Runs as: user, nosub
 */
import { globSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { killProcessesOf } from '../helpers/processes.ts';
import { freePort } from '../helpers/registry.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';

const bed = useSandbox({ images: ['busybox'], requires: ['dev-net-tun'] });

const httpd = 'echo "served by $(hostname)" >/var/www/index.html; exec httpd -f -p 80 -h /var/www';

/** Runs a script in a busybox and returns what it printed. */
function busybox(flags: readonly string[], script: string): Promise<string> {
  return bed.box.ok(['run', '--rm', ...flags, bed.image('busybox'), 'sh', '-c', script]);
}

async function makeNetwork(name: string, ...flags: string[]): Promise<string> {
  const id = await bed.box.ok(['network', 'create', ...flags, name]);
  onTestFinished(async () => {
    await bed.box.trun(['network', 'rm', '-f', name]);
  });
  return id;
}

async function detached(name: string, flags: readonly string[], script = 'sleep 1000'): Promise<string> {
  const id = await bed.box.ok(['run', '-d', '--name', name, ...flags, bed.image('busybox'), 'sh', '-c', script]);
  onTestFinished(async () => {
    await bed.box.trun(['rm', '-f', name]);
  });
  return id;
}

function exec(name: string, script: string): Promise<string> {
  return bed.box.ok(['exec', name, 'sh', '-c', script]);
}

async function refusal(words: readonly string[]): Promise<{ status: number | null; line: string }> {
  const { status, stderr } = await bed.box.trun(words);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  return { status, line: stderr.trimEnd() };
}

/** A page of another container, once its server listens. */
function page(name: string, from: string): Promise<string> {
  return waitFor('the page', async () => {
    const { status, stdout } = await bed.box.trun([
      'exec',
      from,
      'timeout',
      '4',
      'wget',
      '-q',
      '-O',
      '-',
      `http://${name}/`,
    ]);
    return status === 0 ? stdout.trim() : undefined;
  });
}

/** The page at a published port; undefined while nobody answers. */
function hostPage(port: number): Promise<string | undefined> {
  return fetch(`http://127.0.0.1:${port}/`)
    .then((answer) => answer.text())
    .catch(() => undefined);
}

/** Ids of the sandbox's sleeping processes that have called themselves so. */
function sleepers(name: string): number[] {
  const found = bed.box.processes().filter(({ pid }) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === name;
    } catch {
      return false;
    }
  });
  return found.map(({ pid }) => pid);
}

async function inspectNetwork(name: string): Promise<Record<string, unknown>> {
  return (JSON.parse(await bed.box.ok(['network', 'inspect', name])) as Record<string, unknown>[])[0]!;
}

describe('create, ls, inspect, rm', () => {
  test('a network is as it was asked for', async () => {
    const id = await makeNetwork(
      'asked',
      '--subnet=10.201.0.0/24',
      '--gateway=10.201.0.9',
      '--ip-range=10.201.0.64/26',
      '--label=tier=back',
      '-o',
      'mtu=1400',
      '--aux-address=printer=10.201.0.64',
    );
    expect(id).toMatch(/^[\da-f]{64}$/);
    expect(await inspectNetwork('asked')).toMatchObject({
      Name: 'asked',
      Id: id,
      Driver: 'bridge',
      Scope: 'local',
      EnableIPv6: false,
      Internal: false,
      IPAM: {
        Driver: 'default',
        Config: [
          {
            Subnet: '10.201.0.0/24',
            Gateway: '10.201.0.9',
            IPRange: '10.201.0.64/26',
            AuxiliaryAddresses: { printer: '10.201.0.64' },
          },
        ],
      },
      Labels: { tier: 'back' },
      Options: { mtu: '1400' },
      Containers: {},
    });
    const printed = await busybox(
      ['--network', 'asked'],
      'ip -o -4 addr show eth0; cat /sys/class/net/eth0/mtu; ip route',
    );
    expect(printed).toContain('inet 10.201.0.65/24');
    expect(printed).toContain('\n1400\n');
    expect(printed).toContain('default via 10.201.0.9 dev eth0');
    expect(
      await bed.box.ok(['network', 'inspect', '-f', '{{.Name}} {{(index .IPAM.Config 0).Subnet}}', id.slice(0, 8)]),
    ).toBe('asked 10.201.0.0/24');
  });

  test('ls shows it beside those that always are', async () => {
    const id = await makeNetwork('listed', '--label=x=y');
    const lines = (await bed.box.ok('network ls')).split('\n');
    expect(lines[0]).toMatch(/^NETWORK ID +NAME +DRIVER +SCOPE$/);
    expect(lines.slice(1).map((line) => line.split(/ +/).slice(1).join(' '))).toEqual(
      expect.arrayContaining([
        'bridge bridge local',
        'host host local',
        'none null local',
        'listed bridge local',
      ]) as string[],
    );
    expect(await bed.box.ok('network ls -q -f name=listed')).toBe(id.slice(0, 12));
    expect(await bed.box.ok('network ls -q --no-trunc -f label=x=y')).toBe(id);
    expect(await bed.box.ok('network ls -f type=builtin --format {{.Name}}')).toBe('bridge\nhost\nnone');
    expect(JSON.parse(await bed.box.ok('network ls -f driver=null --format json'))).toMatchObject({
      Name: 'none',
      Driver: 'null',
    });
  });

  test('rm refuses while a container runs on it, and takes everything along afterwards', async () => {
    await makeNetwork('used');
    await detached('user-of-it', ['--network', 'used']);
    const { status, line } = await refusal(['network', 'rm', 'used']);
    expect(status).toBe(1);
    expect(line).toMatch(/network used.* has active endpoints \(name:"user-of-it" id:"[\da-f]{12}"\)$/);
    const before = bed.box.servers('network process').length;
    const keepers = sleepers('trun-tap-keeper').length;
    expect(keepers).toBeGreaterThan(0);
    await bed.box.ok('rm -f user-of-it');
    expect(await bed.box.ok('network rm used')).toBe('used');
    expect((await refusal(['network', 'inspect', 'used'])).line).toMatch(/network used not found$/);
    await waitFor('its process to end', () => bed.box.servers('network process').length < before);
    await waitFor('its keeper to end', () => sleepers('trun-tap-keeper').length < keepers);
  });

  test('prune removes what nobody uses', async () => {
    await makeNetwork('idle');
    await makeNetwork('busy');
    await detached('on-busy', ['--network', 'busy']);
    expect(await bed.box.ok('network prune -f')).toBe('Deleted Networks:\nidle\n');
    expect(await bed.box.ok('network ls -f type=custom --format {{.Name}}')).toBe('busy');
    expect((await bed.box.trun('network prune', { input: 'n\n' })).status).toBe(0);
  });

  test.each([
    [['network', 'rm', 'bridge'], /bridge is a pre-defined network and cannot be removed/, 1],
    [['network', 'rm', 'nowhere'], /network nowhere not found/, 1],
    [['network', 'create', 'host'], /operation is not permitted on predefined host network/, 1],
    [['network', 'create', '-d', 'macvlan', 'x'], /macvlan is not supported without root: .*CAP_NET_ADMIN/, 1],
    [['network', 'create', '-d', 'ipvlan', 'x'], /ipvlan is not supported without root/, 1],
    [['network', 'create', '-d', 'overlay', 'x'], /overlay is not supported.*trun works on one/, 1],
    [['network', 'create', '--subnet', 'x', 'x'], /invalid CIDR address: x/, 1],
    [['run', '--rm', '--network', 'nowhere', 'host', 'true'], /network nowhere not found/, 125],
    [
      ['run', '--rm', '--ip', '10.88.0.9', 'host', 'true'],
      /user specified IP address is supported on user defined networks only/,
      125,
    ],
    [
      ['run', '--rm', '--network-alias', 'x', 'host', 'true'],
      /network-scoped alias is supported only for containers in user defined networks/,
      125,
    ],
    [['run', '--rm', '--link', 'nobody', 'host', 'true'], /could not get container for nobody/, 125],
  ])('%j is one clear line', async (words, pattern, code) => {
    const { status, line } = await refusal(words);
    expect(line).toMatch(pattern);
    expect(status).toBe(code);
  });

  test('no two of one name, none over another’s addresses', async () => {
    await makeNetwork('single', '--subnet=10.202.0.0/24');
    expect((await refusal(['network', 'create', 'single'])).line).toMatch(/network with name single already exists/);
    expect((await refusal(['network', 'create', '--subnet=10.202.0.0/16', 'wider'])).line).toMatch(
      /Pool overlaps with other one/,
    );
  });
});

describe('names', () => {
  test('containers of a network find each other by name, alias, short id and hostname, and back by address', async () => {
    await makeNetwork('front');
    const id = await detached('web', ['--network', 'front', '--network-alias', 'site', '-h', 'pages'], httpd);
    await detached('client', ['--network', 'front']);
    expect(await page('web', 'client')).toBe('served by pages');
    for (const name of ['site', id.slice(0, 12), 'pages', 'WEB', 'web.front']) {
      expect(await page(name, 'client')).toBe('served by pages');
    }
    const address = await bed.box.inspect('web', '{{.NetworkSettings.Networks.front.IPAddress}}');
    expect(await exec('client', `nslookup ${address}`)).toContain('web.front');
    await bed.box.ok('rename web renamed');
    onTestFinished(async () => {
      await bed.box.trun('rm -f renamed');
    });
    expect(await page('renamed', 'client')).toBe('served by pages');
    expect((await bed.box.trun(['exec', 'client', 'nslookup', 'web'])).status).not.toBe(0);
  });

  test('an alias of several containers is all of them, and names of stopped ones are none', async () => {
    await makeNetwork('shared');
    await detached('one', ['--network', 'shared', '--network-alias', 'pool']);
    await detached('two', ['--network', 'shared', '--network-alias', 'pool']);
    const addresses = await Promise.all(
      ['one', 'two'].map((name) => bed.box.inspect(name, '{{.NetworkSettings.Networks.shared.IPAddress}}')),
    );
    const found = await exec('one', 'nslookup pool');
    for (const address of addresses) expect(found).toContain(address);
    await bed.box.ok('kill two');
    await bed.box.ok('wait two');
    await waitFor('the name to be gone', async () => !(await exec('one', 'nslookup pool')).includes(addresses[1]!));
  });

  test('on the default network there are none, but by --link', async () => {
    await detached('plain', [], httpd);
    await detached('linked', ['--link', 'plain:server']);
    expect(await page('server', 'linked')).toMatch(/^served by/);
    await detached('unlinked', []);
    expect((await bed.box.trun(['exec', 'unlinked', 'nslookup', 'plain'])).status).not.toBe(0);
  });

  test('--link on a network of one’s own is an alias for one container', async () => {
    await makeNetwork('linking');
    await detached('target', ['--network', 'linking'], httpd);
    await detached('source', ['--network', 'linking', '--link', 'target:db']);
    await detached('other', ['--network', 'linking']);
    expect(await page('db', 'source')).toMatch(/^served by/);
    expect((await bed.box.trun(['exec', 'other', 'nslookup', 'db'])).status).not.toBe(0);
  });

  test('--add-host, --dns, --dns-search and --dns-option are in its files', async () => {
    await makeNetwork('files', '--subnet=10.203.0.0/24');
    const flags = [
      '--network',
      'files',
      '--add-host',
      'a.example:192.0.2.7',
      '--add-host',
      'me:host-gateway',
      '--dns',
      '192.0.2.53',
      '--dns-search',
      'corp.example',
      '--dns-option',
      'ndots:3',
      '-h',
      'box.example',
    ];
    const plain = await busybox(['--dns', '192.0.2.53'], 'cat /etc/resolv.conf');
    expect(plain).toMatch(/^nameserver 192\.0\.2\.53$/m);
    const printed = await busybox(flags, 'cat /etc/hosts /etc/resolv.conf');
    for (const line of [
      '192.0.2.7\ta.example',
      '10.203.0.1\tme',
      '10.203.0.2\tbox.example box',
      // Containers' names resolve there: it asks 192.0.2.53 about others.
      'nameserver 10.203.0.1',
      'search corp.example',
      'options ndots:3',
    ]) {
      expect(printed).toContain(line);
    }
  });
});

describe('addresses', () => {
  test('--ip, --mac-address and their errors', async () => {
    await makeNetwork('fixed', '--subnet=10.204.0.0/24');
    const mac = '92:d0:c6:0a:29:33';
    await detached('pinned', ['--network', 'fixed', '--ip', '10.204.0.77', '--mac-address', mac]);
    expect(await exec('pinned', 'ip addr show eth0')).toMatch(new RegExp(`ether ${mac}[^]*inet 10.204.0.77/24`));
    expect(
      (await refusal(['run', '--rm', '--network', 'fixed', '--ip', '10.204.0.77', bed.image('busybox'), 'true'])).line,
    ).toMatch(/Address already in use/);
    const { status, line } = await refusal([
      'run',
      '--rm',
      '--network',
      'fixed',
      '--ip',
      '10.9.9.9',
      bed.image('busybox'),
      'true',
    ]);
    expect(line).toMatch(/no configured subnet contains IP address 10.9.9.9/);
    expect(status).toBe(125);
  });

  test('inspect has Docker’s shape', async () => {
    const network = await makeNetwork('shape', '--subnet=10.205.0.0/24');
    const id = await detached('shaped', ['--network', 'name=shape,alias=it,ip=10.205.0.7']);
    const settings = JSON.parse(await bed.box.inspect('shaped', '{{json .NetworkSettings}}')) as { Networks: object };
    expect(settings).toMatchObject({
      IPAddress: '',
      Networks: {
        shape: {
          IPAMConfig: { IPv4Address: '10.205.0.7' },
          Aliases: ['it'],
          NetworkID: network,
          Gateway: '10.205.0.1',
          IPAddress: '10.205.0.7',
          IPPrefixLen: 24,
          MacAddress: '02:42:0a:cd:00:07',
          DNSNames: ['shaped', 'it', id.slice(0, 12)],
        },
      },
    });
    expect(await bed.box.inspect('shaped', '{{.HostConfig.NetworkMode}}')).toBe('shape');
    expect((await inspectNetwork('shape'))['Containers']).toMatchObject({
      [id]: { Name: 'shaped', IPv4Address: '10.205.0.7/24' },
    });
    expect(await bed.box.ok('ps -f network=shape --format {{.Names}}:{{.Networks}}')).toBe('shaped:shape');
  });
});

describe('walls', () => {
  beforeAll(async () => {
    if (!bed.isOpen) return;
    for (const words of ['network create left', 'network create right', 'network create --internal inner'])
      await bed.box.ok(words);
  });

  test('containers of different networks do not reach each other', async () => {
    await detached('on-left', ['--network', 'left'], httpd);
    await detached('on-right', ['--network', 'right']);
    const address = await bed.box.inspect('on-left', '{{.NetworkSettings.Networks.left.IPAddress}}');
    const script = `timeout 3 wget -q -O - http://${address}/ || echo no; nslookup on-left || echo unknown`;
    const printed = await exec('on-right', script);
    expect(printed).not.toContain('served by');
    expect(printed).toMatch(/^no$/m);
    expect(printed).toMatch(/^unknown$/m);
  });

  test('one on both reaches both, each by name', async () => {
    await detached('in-left', ['--network', 'left'], httpd);
    await detached('in-right', ['--network', 'right'], httpd);
    await detached('between', ['--network', 'left', '--network', 'right']);
    expect(await exec('between', 'ls /sys/class/net')).toBe('eth0\neth1\nlo');
    expect(await page('in-left', 'between')).toMatch(/^served/);
    expect(await page('in-right', 'between')).toMatch(/^served/);
    expect(await exec('between', 'ip route | grep -c default')).toBe('1');
  });

  test('an internal network has no way out, and its containers reach each other', async () => {
    await detached('inside', ['--network', 'inner', '-p', '127.0.0.1::80'], httpd);
    await detached('beside', ['--network', 'inner']);
    expect(await page('inside', 'beside')).toMatch(/^served/);
    expect(await exec('beside', 'ip route | grep -c default || true')).toBe('0');
    expect(await bed.box.ok('port inside')).toBe('');
    const gateway = ((await inspectNetwork('inner')) as { IPAM: { Config: { Gateway: string }[] } }).IPAM.Config[0]!
      .Gateway;
    // Not even with a route, which root of a container with NET_ADMIN may set.
    await detached('forcing', ['--network', 'inner', '--cap-add', 'NET_ADMIN']);
    const script = `ip route add default via ${gateway} && timeout 3 wget -q -O - http://${gateway}:${await freePort()}/ 2>&1; timeout 3 wget -q -O - http://192.0.2.1/ 2>&1; echo; nslookup example.org 2>&1 || echo unresolved`;
    const printed = await exec('forcing', script);
    expect(printed).toMatch(/refused|prohibited|timed out/);
    expect(printed).toContain('unresolved');
  });
});

describe('connect and disconnect', () => {
  test('a running container gets a second interface, its names, and loses both again', async () => {
    await makeNetwork('first');
    await makeNetwork('second');
    await detached('server', ['--network', 'second'], httpd);
    await detached('mover', ['--network', 'first']);
    expect((await bed.box.trun(['exec', 'mover', 'nslookup', 'server'])).status).not.toBe(0);
    await bed.box.ok('network connect --alias visitor second mover');
    expect(await exec('mover', 'ls /sys/class/net')).toBe('eth0\neth1\nlo');
    expect(await page('server', 'mover')).toMatch(/^served/);
    const address = await bed.box.inspect('mover', '{{.NetworkSettings.Networks.second.IPAddress}}');
    expect(await exec('server', 'nslookup visitor')).toContain(address);
    expect(await exec('mover', 'cat /etc/hosts')).toContain(address);
    expect((await refusal(['network', 'connect', 'second', 'mover'])).line).toMatch(
      /endpoint with name mover already exists in network second/,
    );
    await bed.box.ok('network disconnect second mover');
    expect(await exec('mover', 'ls /sys/class/net')).toBe('eth0\nlo');
    expect((await bed.box.trun(['exec', 'server', 'nslookup', 'visitor'])).status).not.toBe(0);
    expect(await exec('mover', 'cat /etc/hosts')).not.toContain(address);
    expect((await refusal(['network', 'disconnect', 'second', 'mover'])).line).toMatch(
      /is not connected to network second/,
    );
    expect((await bed.box.trun('network disconnect -f second mover')).status).toBe(0);
  });

  test('ports and default route move to the next network when theirs is left', async () => {
    await makeNetwork('old');
    await makeNetwork('new');
    const port = await freePort();
    await detached('moving', ['--network', 'old', '--network', 'new', '-p', `127.0.0.1:${port}:80`], httpd);
    expect(await waitFor('the page', () => hostPage(port))).toMatch(/^served/);
    await bed.box.ok('network disconnect old moving');
    expect(await waitFor('the page', () => hostPage(port))).toMatch(/^served/);
    expect(await bed.box.ok('port moving')).toBe(`80/tcp -> 127.0.0.1:${port}`);
    expect(await exec('moving', 'ip route')).toMatch(/^default via .* dev eth1/m);
    // It asks the network that is left for names.
    expect(await exec('moving', 'nslookup moving')).toMatch(/Address/);
  });

  test('what was connected while it was stopped is there when it starts', async () => {
    await makeNetwork('later');
    await bed.box.ok(['create', '--name', 'sleeper', bed.image('busybox'), 'sleep', '1000']);
    onTestFinished(async () => {
      await bed.box.trun('rm -f sleeper');
    });
    await bed.box.ok('network connect later sleeper');
    await bed.box.ok('start sleeper');
    expect(await exec('sleeper', 'ls /sys/class/net')).toBe('eth0\neth1\nlo');
    await bed.box.ok('network disconnect bridge sleeper');
    await bed.box.ok('restart -t 0 sleeper');
    expect(await exec('sleeper', 'ls /sys/class/net')).toBe('eth0\nlo');
    expect(await bed.box.ok('ps -f name=sleeper --format {{.Networks}}')).toBe('later');
  });

  test('host and none are refused', async () => {
    await makeNetwork('some');
    await detached('hosted', ['--network', 'host']);
    expect((await refusal(['network', 'connect', 'some', 'hosted'])).line).toMatch(
      /cannot be disconnected from host network or connected to host network/,
    );
    await detached('bare', ['--network', 'none']);
    expect((await refusal(['network', 'connect', 'some', 'bare'])).line).toMatch(/private \(none\) mode/);
  });
});

describe('coming back', () => {
  test('address, names and port are the same after stop and start', async () => {
    await makeNetwork('lasting');
    const port = await freePort();
    await detached('back', ['--network', 'lasting', '-p', `127.0.0.1:${port}:80`], httpd);
    await detached('peer', ['--network', 'lasting']);
    const before = await bed.box.inspect('back', '{{.NetworkSettings.Networks.lasting.IPAddress}}');
    await bed.box.ok('restart -t 0 back');
    expect(await bed.box.inspect('back', '{{.NetworkSettings.Networks.lasting.IPAddress}}')).toBe(before);
    expect(await page('back', 'peer')).toMatch(/^served/);
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toMatch(/^served/);
  });

  test('a killed network process is replaced: names, ports and addresses go on', async () => {
    await makeNetwork('killed');
    const port = await freePort();
    await detached('stays', ['--network', 'killed', '-p', `127.0.0.1:${port}:80`], httpd);
    await detached('asks', ['--network', 'killed']);
    expect(await page('stays', 'asks')).toMatch(/^served/);
    const process_ = bed.box.servers('network process').find(({ command }) => command.includes('"network":"killed"'))!;
    process.kill(process_.pid, 'SIGKILL');
    expect(await waitFor('the port', () => hostPage(port))).toMatch(/^served/);
    expect(await page('stays', 'asks')).toMatch(/^served/);
  });

  test('after a reboot of the host, start gives everything back', async () => {
    await makeNetwork('rebooted', '--label', 'kept=yes');
    const port = await freePort();
    await detached('first', ['--network', 'rebooted', '-p', `127.0.0.1:${port}:80`], httpd);
    await detached('second', ['--network', 'rebooted', '--network-alias', 'other']);
    const before = await bed.box.inspect('first', '{{.NetworkSettings.Networks.rebooted.IPAddress}}');
    await killProcessesOf(bed.box.folder);
    for (const name of readdirSync(bed.box.runtime))
      rmSync(join(bed.box.runtime, name), { recursive: true, force: true });
    await bed.box.ok('start second first');
    expect(await bed.box.inspect('first', '{{.NetworkSettings.Networks.rebooted.IPAddress}}')).toBe(before);
    expect(await waitFor('the page', () => hostPage(port))).toMatch(/^served/);
    expect(await page('first', 'second')).toMatch(/^served/);
    expect(await bed.box.ok('network ls -q -f label=kept=yes')).not.toBe('');
  });

  test('a killed holder takes the network along, which is said once; containers that start have one again', async () => {
    await makeNetwork('holderless');
    await detached('lost', ['--network', 'holderless'], httpd);
    const [holder] = sleepers('trun-holder');
    process.kill(holder!, 'SIGKILL');
    await waitFor('its network processes to end', () => bed.box.servers('network process').length === 0);
    const [log] = globSync(join(bed.box.runtime, '*/agent.log'));
    const said = /network holderless: The holder has ended/g;
    await waitFor('the word', () => said.test(readFileSync(log!, 'utf8')));
    await bed.box.ok('restart -t 0 lost');
    await detached('finds', ['--network', 'holderless']);
    expect(await page('lost', 'finds')).toMatch(/^served/);
    expect(readFileSync(log!, 'utf8').match(said)).toHaveLength(1);
  });

  test('so are a killed agent, and all of them at once', async () => {
    await makeNetwork('orphaned');
    await detached('kept', ['--network', 'orphaned'], httpd);
    await detached('looks', ['--network', 'orphaned']);
    expect(await page('kept', 'looks')).toMatch(/^served/);
    for (const { pid } of bed.box.servers('agent', 'network process')) process.kill(pid, 'SIGKILL');
    expect(await page('kept', 'looks')).toMatch(/^served/);
    await bed.box.ok('network connect bridge looks');
    expect(await exec('looks', 'ls /sys/class/net')).toBe('eth0\neth1\nlo');
  });
});
