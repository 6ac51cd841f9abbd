/**
 * What a container shares when it is told to: namespaces of the host or of another container, ids, groups, devices,
 * kernel parameters, volumes of others.
 *
 * Runs as: user, root
 */
import { mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox();
const isRoot = process.getuid!() === 0;
let count = 0;

function host(options: readonly string[], script: string): Promise<string> {
  return bed.box.ok(['run', '--rm', ...options, 'host', 'sh', '-c', script]);
}

async function detached(...options: readonly string[]): Promise<string> {
  const name = `ns-${count++}`;
  onTestFinished(async () => {
    await bed.box.trun(['rm', '-f', name]);
  });
  await bed.box.ok(['run', '-d', '--name', name, ...options, 'host', 'sleep', '1000']);
  return name;
}

function own(kind: string): string {
  return readlinkSync(`/proc/self/ns/${kind}`);
}

describe('namespaces', () => {
  test.each([
    ['--ipc', 'ipc'],
    ['--pid', 'pid'],
    ['--uts', 'uts'],
    ['--network', 'net'],
  ])('%s host', async (flag, kind) => {
    expect(await host([`${flag}=host`], `readlink /proc/self/ns/${kind}`)).toBe(own(kind));
    expect(await host([], `readlink /proc/self/ns/${kind}`)).not.toBe(own(kind));
    const name = await detached(`${flag}=host`);
    expect(await bed.box.ok(['exec', name, 'readlink', `/proc/self/ns/${kind}`])).toBe(own(kind));
  });

  test('--pid host shows the processes of the host, and lets none be signalled that is not the user’s', async () => {
    expect(await host(['--pid=host'], `cat /proc/${process.pid}/comm`)).not.toBe('');
    expect(await host(['--uts=host'], 'hostname')).toBe(hostname());
    // What pause and stats take for the container is what it has started, not all that lives.
    const name = await detached('--pid=host');
    await bed.box.ok(['pause', name]);
    expect((await bed.box.ok(['top', name])).split('\n')).toHaveLength(2);
    await bed.box.ok(['unpause', name]);
    expect(await bed.box.ok(['stats', '--no-stream', '--format', '{{.PIDs}}', name])).toBe('1');
  });

  test('--pid and --ipc container: share another one’s', async () => {
    const other = await detached();
    const ns = await bed.box.ok([
      'exec',
      other,
      'sh',
      '-c',
      'readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc; readlink /proc/self/ns/user',
    ]);
    const options = [`--pid=container:${other}`, `--ipc=container:${other}`];
    const script =
      'readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc; readlink /proc/self/ns/user; cat /proc/1/comm';
    expect(await host(options, script)).toBe(`${ns}\nsleep`);
    expect((await bed.box.trun(['run', '--rm', '--pid=container:nobody', 'host', 'true'])).stderr).toContain(
      'No such container: nobody',
    );
    await bed.box.ok(['kill', other]);
    await bed.box.ok(['wait', other]);
    const late = await bed.box.trun(['run', '--rm', `--pid=container:${other}`, 'host', 'true']);
    expect(late).toMatchObject({
      status: 125,
      stderr: expect.stringContaining('cannot join PID of a non running container') as string,
    });
  });

  test('--ipc none has no /dev/shm', async () => {
    expect(await host(['--ipc=none'], 'mount | grep -c /dev/shm || true')).toBe('0');
  });

  test('--userns host is the user’s namespace itself, where containers see each other’s ids', async () => {
    const script = 'readlink /proc/self/ns/user';
    const [one, two] = [await host(['--userns=host'], script), await host(['--userns=host'], script)];
    expect(one).toBe(two);
    expect(await host([], script)).not.toBe(one);
    expect(await host(['--userns=host'], 'id -u; touch /f && stat -c %u /f')).toBe('0\n0');
  });

  test('--userns keep-id: the user is itself, and its files are its own', async () => {
    const folder = join(bed.box.folder, 'kept');
    mkdirSync(folder, { recursive: true });
    const uid = process.getuid!();
    const printed = await host(
      ['--userns=keep-id', '-v', `${folder}:/kept`],
      'id -u; id -g; touch /kept/mine; stat -c %u /kept/mine',
    );
    expect(printed).toBe(`${uid}\n${process.getgid!()}\n${uid}`);
    expect(statSync(join(folder, 'mine')).uid).toBe(uid);
    const name = await detached('--userns=keep-id');
    expect(await bed.box.ok(['exec', name, 'id', '-u'])).toBe(String(uid));
    if (!isRoot) expect(await host(['--userns=keep-id', '-u', '0'], 'id -u')).toBe('0');
  });
});

test('--group-add keep-groups keeps what the user’s groups give', async ({ skip }) => {
  skip(isRoot, 'root has every group');
  const own = /^Groups:(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]!.trim();
  const groups = own === '' ? [] : own.split(' ');
  const kept = await host(['--group-add=keep-groups'], 'grep ^Groups: /proc/self/status | wc -w');
  const dropped = await host([], 'grep ^Groups: /proc/self/status | wc -w');
  expect(Number(kept)).toBe(groups.length + 1);
  expect(Number(dropped)).toBeLessThanOrEqual(2);
});

describe('--sysctl', () => {
  test('sets what is the container’s own', async () => {
    const options = ['--sysctl', 'net.ipv4.ip_default_ttl=99', '--sysctl', 'kernel.msgmax=4096'];
    expect(await host(options, 'cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/kernel/msgmax')).toBe('99\n4096');
  });

  test('refuses what is the host’s', async () => {
    const { status, stderr } = await bed.box.trun([
      'run',
      '--rm',
      '--network=host',
      '--sysctl',
      'net.ipv4.ip_forward=1',
      'host',
      'true',
    ]);
    expect(status).toBe(125);
    expect(stderr).toContain(
      "sysctl 'net.ipv4.ip_forward' not allowed as network namespace is not the container's own",
    );
  });
});

describe('--security-opt', () => {
  test('mask hides more, unmask less', async () => {
    expect(await host(['--security-opt', 'mask=/proc/uptime:/etc/apt'], 'cat /proc/uptime; ls /etc/apt')).toBe('');
    const script = 'head -c 1 /proc/timer_list 2>/dev/null | wc -c; mount | grep -c " /proc/sys " || true';
    expect((await host([], script)).split('\n')[1]).toBe('1');
    expect((await host(['--security-opt', 'unmask=ALL'], script)).split('\n')[1]).toBe('0');
    expect((await host(['--security-opt', 'unmask=/proc/sys'], script)).split('\n')[1]).toBe('0');
  });
});

describe('devices', () => {
  test('--device shows a device of the host, also elsewhere', async () => {
    expect(await host(['--device', '/dev/net/tun'], 'stat -c %F,%t,%T /dev/net/tun')).toBe(
      'character special file,a,c8',
    );
    expect(await host(['--device', '/dev/null:/dev/nothing'], 'echo x >/dev/nothing; wc -c </dev/nothing')).toBe('0');
    const missing = await bed.box.trun(['run', '--rm', '--device', '/dev/no-such', 'host', 'true']);
    expect(missing.stderr).toContain(
      'error gathering device information while adding custom device "/dev/no-such": no such file or directory',
    );
    expect((await bed.box.trun(['run', '--rm', '--device', '/etc/passwd', 'host', 'true'])).stderr).toContain(
      'not a device node',
    );
  });

  test('CDI names stand for nodes, mounts and variables', async () => {
    const folder = join(bed.box.folder, 'cdi');
    mkdirSync(folder, { recursive: true });
    const library = join(folder, 'library.so');
    writeFileSync(library, 'library\n');
    writeFileSync(
      join(folder, 'vendor.json'),
      JSON.stringify({
        cdiVersion: '0.6.0',
        kind: 'nvidia.com/gpu',
        containerEdits: {
          env: ['DRIVER=1'],
          mounts: [{ hostPath: library, containerPath: '/opt/library.so', options: ['ro'] }],
        },
        devices: [
          {
            name: 'all',
            containerEdits: { deviceNodes: [{ path: '/dev/gpu0', hostPath: '/dev/zero' }], env: ['GPU=all'] },
          },
        ],
      }),
    );
    // The agent reads them: one with this environment.
    for (const { pid } of bed.box.servers('agent')) process.kill(pid, 'SIGKILL');
    const env = { CDI_SPEC_DIRS: folder };
    const script = 'echo $DRIVER $GPU; cat /opt/library.so; head -c 4 /dev/gpu0 | wc -c';
    const words = ['run', '--rm', '--gpus', 'all', 'host', 'sh', '-c', script];
    expect(await bed.box.ok(words, { env })).toBe('1 all\nlibrary\n4');
    const unknown = await bed.box.trun(['run', '--rm', '--device', 'vendor.com/net=x', 'host', 'true'], { env });
    expect(unknown).toMatchObject({
      status: 125,
      stderr: expect.stringContaining('unresolvable CDI device vendor.com/net=x') as string,
    });
    for (const { pid } of bed.box.servers('agent')) process.kill(pid, 'SIGKILL');
  });
});

test('--volumes-from gives the volumes of another container', async () => {
  const shared = join(bed.box.folder, 'shared');
  mkdirSync(shared, { recursive: true });
  writeFileSync(join(shared, 'f'), 'bound\n');
  const other = await detached('-v', `vol-from:/data`, '-v', `${shared}:/shared`);
  await bed.box.ok(['exec', other, 'sh', '-c', 'echo kept >/data/f']);
  expect(await host(['--volumes-from', other], 'cat /data/f /shared/f; echo more >>/data/f')).toBe('kept\nbound');
  expect(await host(['--volumes-from', `${other}:ro`], 'cat /data/f; touch /data/g 2>/dev/null || echo refused')).toBe(
    'kept\nmore\nrefused',
  );
  await bed.box.ok(['rm', '-f', other]);
  await bed.box.ok('volume rm vol-from');
});
