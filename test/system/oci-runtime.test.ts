/**
 * trun-oci by itself: the life of a bundle's container, as engines drive it.
 *
 * Runs as: user, nosub, root
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { OciRuntime, ociLauncher, type TestSpec } from '../helpers/oci-bundle.ts';
import { output } from '../helpers/command.ts';
import { unmet } from '../helpers/requirements.ts';
import { waitFor } from '../helpers/wait-for.ts';

const reason = await unmet(['user-namespaces', 'busybox']);
let oci: OciRuntime;

beforeEach(({ skip }) => skip(reason !== undefined, reason));

beforeAll(() => {
  oci = new OciRuntime(mkdtempSync('/tmp/trun-oci-'));
});

afterAll(async () => {
  for (const { id } of JSON.parse(await oci.ok(['list', '--format', 'json'])) as { id: string }[]) {
    await oci.ok(['delete', '--force', id]);
  }
  expect(existsSync(oci.root) ? readdirSync(oci.root) : []).toEqual([]);
  rmSync(oci.folder, { recursive: true });
});

describe('the life of a container', () => {
  test('create, start, kill, delete, and the state in between', async () => {
    const bundle = await oci.bundle('life', ['sleep', '1000'], (spec) => (spec.annotations = { a: 'b' }));
    const pidFile = join(oci.folder, 'life.pid');
    await oci.ok(['create', '--bundle', bundle, '--pid-file', pidFile, 'life']);
    const state = JSON.parse(await oci.ok(['state', 'life'])) as Record<string, unknown>;
    expect(state).toMatchObject({ id: 'life', status: 'created', bundle, annotations: { a: 'b' } });
    expect(readFileSync(pidFile, 'utf8')).toBe(String(state['pid']));
    await expect(oci.ok(['create', '--bundle', bundle, 'life'])).rejects.toThrow('container with id exists: life');

    await oci.ok(['start', 'life']);
    expect(await oci.status('life')).toBe('running');
    await expect(oci.ok(['start', 'life'])).rejects.toThrow('cannot start an already running container');
    await expect(oci.ok(['delete', 'life'])).rejects.toThrow(
      'cannot delete container life that is not stopped: running',
    );
    expect(await oci.ok(['list', '-q'])).toContain('life');

    await oci.ok(['kill', 'life', 'KILL']);
    await waitFor('the container to stop', async () => (await oci.status('life')) === 'stopped');
    await expect(oci.ok(['kill', 'life'])).rejects.toThrow('container not running');
    await oci.ok(['delete', 'life']);
    await expect(oci.ok(['state', 'life'])).rejects.toThrow('container does not exist');
    await oci.ok(['delete', '--force', 'life']);
  });

  test('the program does not run before start, and is the child of who reaps for the caller', async () => {
    // The shell is no subreaper: whoever reaps for it is the container's parent as soon as create has ended.
    const bundle = await oci.bundle('waits', ['sh', '-c', 'echo ran >/ran; exec sleep 1000']);
    await oci.ok(['create', '--bundle', bundle, 'waits']);
    expect(existsSync(join(oci.rootfs, 'ran'))).toBe(false);
    const { pid } = JSON.parse(await oci.ok(['state', 'waits'])) as { pid: number };
    expect(readFileSync(`/proc/${pid}/cmdline`, 'latin1')).not.toContain('sleep');
    await oci.ok(['start', 'waits']);
    await waitFor('the program to run', () => existsSync(join(oci.rootfs, 'ran')));
    await oci.ok(['delete', '--force', 'waits']);
    expect(existsSync(`/proc/${pid}`) ? readFileSync(`/proc/${pid}/stat`, 'latin1') : 'Z').toContain('Z');
  });

  test('a program that turns out to be none when it is started', async () => {
    writeFileSync(join(oci.rootfs, 'tmp/none'), 'this is no program', { mode: 0o755 });
    const bundle = await oci.bundle('none', ['/tmp/none']);
    await oci.ok(['create', '--bundle', bundle, 'none']);
    // The launcher gives the word itself, and the command says afterwards what came of it.
    await expect(oci.ok(['start', 'none'])).rejects.toThrow('exec: \\"/tmp/none\\": exec format error');
    await waitFor('the container to end', async () => (await oci.status('none')) === 'stopped');
    await oci.ok(['delete', 'none']);
  });

  test('run hands exit status and output through', async () => {
    const bundle = await oci.bundle('runs', [
      'sh',
      '-c',
      'echo out; echo err >&2; read line; echo "got $line"; exit 7',
    ]);
    const { status, stdout, stderr } = await oci.call(['run', '--bundle', bundle, 'runs'], { input: 'input\n' });
    expect({ status, stdout, stderr }).toEqual({ status: 7, stdout: 'out\ngot input\n', stderr: 'err\n' });
    expect(await oci.ok(['list', '-q'])).not.toContain('runs');
  });

  test('signals to run are the program’s', async () => {
    const script = 'trap "echo trapped; exit 5" TERM; echo ready; while :; do sleep 0.05; done';
    const running = oci.start(['run', '--bundle', await oci.bundle('signals', ['sh', '-c', script]), 'signals']);
    await running.printed('ready');
    running.kill('SIGTERM');
    expect(await running.result).toMatchObject({ status: 5, stdout: 'ready\ntrapped\n' });
  });

  test('a container whose creator is killed can be deleted', async () => {
    const bundle = await oci.bundle('cut', ['sleep', '1000'], (spec) => {
      spec.hooks = { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', 'kill -9 $PPID; sleep 1'] }] };
    });
    expect((await oci.call(['create', '--bundle', bundle, 'cut'])).status).toBe(137);
    await waitFor('its process to end', async () => ['stopped', 'creating'].includes(await oci.status('cut')));
    await oci.ok(['delete', '--force', 'cut']);
  });
});

describe('exec', () => {
  beforeAll(async () => {
    if (reason !== undefined) return;
    await oci.ok(['run', '--detach', '--bundle', await oci.bundle('box', ['sleep', '1000']), 'box']);
  });

  test('output, input and exit status', async () => {
    const result = await oci.call(['exec', 'box', 'sh', '-c', 'cat; echo err >&2; exit 9'], { input: 'in' });
    expect(result).toMatchObject({ status: 9, stdout: 'in', stderr: 'err\n' });
  });

  test('options', async () => {
    const printed = await oci.ok([
      'exec',
      '--cwd',
      '/tmp',
      '--env',
      'A=b',
      'box',
      'sh',
      '-c',
      'pwd; echo $A; hostname',
    ]);
    expect(printed).toBe('/tmp\nb\ntrun');
  });

  test('a process of a file, detached, with a pid file', async () => {
    const file = join(oci.folder, 'process.json');
    const pidFile = join(oci.folder, 'exec.pid');
    const process = {
      args: ['sh', '-c', 'echo $$ >/executed; sleep 1000'],
      cwd: '/',
      user: { uid: 0, gid: 0 },
      env: ['PATH=/bin'],
    };
    writeFileSync(file, JSON.stringify(process));
    await oci.ok(['exec', '--detach', '--process', file, '--pid-file', pidFile, 'box']);
    await waitFor('the program to run', () => existsSync(join(oci.rootfs, 'executed')));
    const pid = readFileSync(pidFile, 'utf8');
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(
      new RegExp(`NSpid:\\s+${pid}\\s+${readFileSync(join(oci.rootfs, 'executed'), 'utf8').trim()}\n`),
    );
    expect(JSON.parse(await oci.ok(['ps', '--format', 'json', 'box']))).toContain(Number(pid));
    globalThis.process.kill(Number(pid), 'SIGKILL');
  });

  test('a terminal', async () => {
    expect(await oci.ok(['exec', '--tty', 'box', 'sh', '-c', 'test -t 0 && tty'])).toMatch(/^\/dev\/pts\/\d+\r?$/);
  });

  test.each([
    [['nowhere'], 'exec: "nowhere": executable file not found in $PATH'],
    [['/nowhere'], 'exec: "/nowhere": stat /nowhere: no such file or directory'],
    [['/bin'], 'exec: "/bin": permission denied'],
  ])('%s', async (command, message) => {
    const { status, stderr } = await oci.call(['--log-format', 'json', 'exec', 'box', ...command]);
    expect(status).toBe(255);
    expect((JSON.parse(stderr) as { msg: string; level: string }).msg).toContain(message);
  });

  test('the container sees nothing of its host in the program’s fds', async () => {
    const listed = await oci.ok(['exec', 'box', 'sh', '-c', 'for fd in /proc/self/fd/*; do readlink $fd; done; true']);
    expect(listed).not.toMatch(/state|trun|config/);
  });
});

describe('what engines pass', () => {
  test('preserved fds', async () => {
    const bundle = await oci.bundle('fds', ['sh', '-c', 'cat <&3; cat <&4; ls /proc/self/fd | wc -l']);
    writeFileSync(join(oci.folder, 'one'), 'one\n');
    writeFileSync(join(oci.folder, 'two'), 'two\n');
    const call = `exec ${ociLauncher} --root ${oci.root} run --preserve-fds 2 --bundle ${bundle} fds 3<one 4<two`;
    expect(await output('sh', ['-c', call], { cwd: oci.folder })).toBe('one\ntwo\n6');
    const { stderr } = await oci.call(['run', '--preserve-fds', '900', '--bundle', bundle, 'fds']);
    expect(stderr).toContain('is present');
  });

  test('a console socket gets the terminal', async () => {
    const bundle = await oci.bundle('console', ['sh', '-c', 'tty; exec sleep 1000'], (spec) => {
      spec.process.terminal = true;
      spec.process['consoleSize'] = { height: 33, width: 77 };
    });
    await expect(oci.ok(['create', '--bundle', bundle, 'console'])).rejects.toThrow('console socket');
    // Python has SCM_RIGHTS at hand.
    const socket = join(oci.folder, 'tty.sock');
    const program = `import socket, array, os, fcntl, struct, termios
s = socket.socket(socket.AF_UNIX); s.bind('${socket}'); s.listen(1); print('listening', flush=True)
c, _ = s.accept(); fds = socket.recv_fds(c, 16, 1)[1]
print(struct.unpack('HHHH', fcntl.ioctl(fds[0], termios.TIOCGWINSZ, bytes(8)))[:2], os.read(fds[0], 100), flush=True)`;
    const reader = spawn('python3', ['-c', program], { stdio: ['ignore', 'pipe', 'ignore'] });
    onTestFinished(() => void reader.kill('SIGKILL'));
    let printed = '';
    reader.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    await waitFor('the socket', () => printed.includes('listening'));
    await oci.ok(['create', '--bundle', bundle, '--console-socket', socket, 'console']);
    await oci.ok(['start', 'console']);
    await waitFor('the terminal', () => printed.includes('/dev/pts/0'));
    expect(printed).toContain('(33, 77)');
    await oci.ok(['delete', '--force', 'console']);
  });

  test('NOTIFY_SOCKET: who says that it is ready is heard', async () => {
    const socket = join(oci.folder, 'notify.sock');
    const program = `import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind('${socket}'); print('bound', flush=True)
print(s.recv(1000), flush=True)`;
    const reader = spawn('python3', ['-c', program], { stdio: ['ignore', 'pipe', 'ignore'] });
    onTestFinished(() => void reader.kill('SIGKILL'));
    let printed = '';
    reader.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    await waitFor('the socket', () => printed.includes('bound'));
    // Nothing of busybox sends datagrams to unix sockets: the test does, through the socket that the container sees.
    const bundle = await oci.bundle('notify', ['sh', '-c', 'echo $NOTIFY_SOCKET >/notify-path; exec sleep 1000']);
    const env = { ...process.env, NOTIFY_SOCKET: socket };
    await oci.ok(['create', '--bundle', bundle, 'notify'], { env });
    const starting = oci.start(['start', 'notify'], { env });
    await waitFor('the program', () => existsSync(join(oci.rootfs, 'notify-path')));
    const inside = readFileSync(join(oci.rootfs, 'notify-path'), 'utf8').trim();
    expect(inside).toBe('/run/notify/notify.sock');
    const send = `import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', '${join(oci.root, 'notify/notify/notify.sock')}')`;
    await output('python3', ['-c', send]);
    expect((await starting.result).status).toBe(0);
    await waitFor('the word', () => printed.includes('READY=1'));
    expect(printed).toContain(`MAINPID=${await oci.pid('notify')}`);
    await oci.ok(['delete', '--force', 'notify']);
  });

  test('hooks, in their order, namespaces and with the state', async () => {
    const log = join(oci.folder, 'hooks.log');
    function hook(kind: string) {
      return {
        path: '/bin/sh',
        args: [
          'sh',
          '-c',
          `read state; echo "${kind} $(echo $state | sed 's/.*"status":"\\([a-z]*\\)".*/\\1/')" >>${log}`,
        ],
        env: ['PATH=/usr/bin:/bin'],
      };
    }
    const bundle = await oci.bundle('hooks', ['true'], (spec) => {
      spec.hooks = {
        ...Object.fromEntries(
          ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop'].map((kind) => [kind, [hook(kind)]]),
        ),
        startContainer: [{ path: '/bin/sh', args: ['sh', '-c', 'hostname >/hook-inside; cat >/hook-state'] }],
      };
    });
    await oci.ok(['run', '--bundle', bundle, 'hooks']);
    expect(readFileSync(log, 'utf8').trim().split('\n')).toEqual([
      'prestart created',
      'createRuntime creating',
      'createContainer creating',
      'poststart running',
      'poststop stopped',
    ]);
    expect(readFileSync(join(oci.rootfs, 'hook-inside'), 'utf8')).toBe('trun\n');
    expect(readFileSync(join(oci.rootfs, 'hook-state'), 'utf8')).toContain('"status":"created"');
  });

  test.each([
    [
      'a hook that fails',
      { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', 'echo why >&2; exit 3'] }] },
      'exit status 3, stdout: , stderr: why',
    ],
    [
      'a hook that does not end',
      { prestart: [{ path: '/bin/sleep', args: ['sleep', '1000'], timeout: 1 }] },
      'hook ran past specified timeout of 1s',
    ],
    [
      'one in the container',
      { startContainer: [{ path: '/bin/sh', args: ['sh', '-c', 'echo inside; exit 4'] }] },
      'exit status 4, output: inside',
    ],
  ])('%s ends the container', async (_title, hooks, message) => {
    const bundle = await oci.bundle('fails', ['sleep', '1000'], (spec) => (spec.hooks = hooks));
    await expect(oci.ok(['run', '--bundle', bundle, 'fails'])).rejects.toThrow(message);
    expect(await oci.ok(['list', '-q'])).not.toContain('fails');
  });
});

describe('the spec', () => {
  const cases: [string, string[], (spec: TestSpec) => void, RegExp][] = [
    [
      'rlimits',
      ['sh', '-c', 'ulimit -n'],
      (spec) => (spec.process['rlimits'] = [{ type: 'RLIMIT_NOFILE', soft: 77, hard: 99 }]),
      /^77$/,
    ],
    ['umask', ['sh', '-c', 'umask'], (spec) => Object.assign(spec.process.user, { umask: 0o27 }), /^0?027$/],
    [
      'a file over a file',
      ['cat', '/etc/bound'],
      (spec) =>
        spec.mounts.push({ destination: '/etc/bound', type: 'bind', source: '/proc/self/comm', options: ['bind'] }),
      /^cat$/,
    ],
    [
      'tmpcopyup',
      ['sh', '-c', 'ls /bin/busybox && echo x >/bin/new && echo written'],
      (spec) =>
        spec.mounts.push({ destination: '/bin', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup', 'size=16m'] }),
      /busybox\nwritten/,
    ],
    [
      'masked and read-only paths',
      ['sh', '-c', 'ls /etc/hide; echo x >/etc/keep || echo refused'],
      (spec) => {
        mkdirSync(join(oci.rootfs, 'etc/hide'), { recursive: true });
        writeFileSync(join(oci.rootfs, 'etc/hide/secret'), '');
        writeFileSync(join(oci.rootfs, 'etc/keep'), '');
        Object.assign(spec.linux, { maskedPaths: ['/etc/hide'], readonlyPaths: ['/etc/keep'] });
      },
      /^refused$/,
    ],
    [
      'a seccomp filter',
      ['mkdir', '/tmp/refused'],
      (spec) => {
        spec.process.args = ['sh', '-c', 'mkdir /tmp/refused 2>&1 || true'];
        spec.linux['seccomp'] = {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
        };
      },
      /not permitted/,
    ],
    ['a read-only root', ['sh', '-c', 'touch /x 2>&1 || true'], (spec) => (spec.root.readonly = true), /Read-only/],
    [
      'a scheduler and its niceness',
      ['sh', '-c', 'cat /proc/self/stat'],
      (spec) => (spec.process['scheduler'] = { policy: 'SCHED_BATCH', nice: 5 }),
      / 25 5 /,
    ],
    ['a personality', ['uname', '-m'], (spec) => (spec.linux['personality'] = { domain: 'LINUX32' }), /i686|armv/],
    [
      'a domain name',
      ['cat', '/proc/sys/kernel/domainname'],
      (spec) => Object.assign(spec, { domainname: 'example.org' }),
      /^example\.org$/,
    ],
  ];
  test.each(cases)('%s', async (title, args, change, expected) => {
    expect(await oci.output(title.replaceAll(' ', '-'), args, change)).toMatch(expected);
  });

  test.each<[string, (spec: TestSpec) => void, string]>([
    [
      'a host name without a namespace',
      (spec) => (spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'uts')),
      'without a private UTS namespace',
    ],
    [
      'a kernel parameter of the host’s',
      (spec) => (spec.linux['sysctl'] = { 'vm.swappiness': '1' }),
      'is not in a separate kernel namespace',
    ],
    ['Intel RDT', (spec) => (spec.linux['intelRdt'] = {}), 'linux.intelRdt is not supported'],
    [
      'an unknown capability',
      (spec) => (spec.process['capabilities'] = { bounding: ['CAP_ALL'] }),
      'process.capabilities.bounding[0]: must be one of',
    ],
    [
      'a source that is not there',
      (spec) => spec.mounts.push({ destination: '/x', type: 'bind', source: '/nowhere' }),
      'cannot bind /nowhere: ENOENT',
    ],
    [
      'a notification filter',
      (spec) =>
        (spec.linux['seccomp'] = {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [{ names: ['mount'], action: 'SCMP_ACT_NOTIFY' }],
        }),
      'SCMP_ACT_NOTIFY is not supported',
    ],
  ])('%s is refused, and leaves nothing', async (_title, change, message) => {
    const bundle = await oci.bundle('refused', ['true'], change);
    await expect(oci.ok(['create', '--bundle', bundle, 'refused'])).rejects.toThrow(message);
    expect(existsSync(join(oci.root, 'refused'))).toBe(false);
  });

  test('namespaces are joined by path', async () => {
    await oci.ok(['run', '--detach', '--bundle', await oci.bundle('first', ['sleep', '1000']), 'first']);
    const pid = await oci.pid('first');
    const links = 'readlink /proc/self/ns/uts; readlink /proc/self/ns/ipc';
    const join = ['uts', 'ipc', ...(process.getuid!() === 0 ? [] : ['user'])];
    const shown = await oci.output('second', ['sh', '-c', links], (spec) => {
      spec.linux.namespaces = spec.linux.namespaces.map(({ type }) =>
        join.includes(type) ? { type, path: `/proc/${pid}/ns/${type}` } : { type },
      );
      spec.hostname = '';
      if (process.getuid!() !== 0) {
        delete spec.linux['uidMappings'];
        delete spec.linux['gidMappings'];
      }
    });
    expect(shown).toBe(await oci.ok(['exec', 'first', 'sh', '-c', links]));
    await oci.ok(['delete', '--force', 'first']);
  });

  test('a root file system that is out to get us: no link of it is followed out of it', async () => {
    const bundle = await oci.bundle('hostile', ['true'], (spec) => {
      spec.mounts.push({ destination: '/tmp/out/made', type: 'tmpfs', source: 'tmpfs' });
    });
    const victim = join(oci.folder, 'victim');
    mkdirSync(victim);
    rmSync(join(oci.rootfs, 'tmp/out'), { force: true });
    await output('ln', ['-s', victim, join(oci.rootfs, 'tmp/out')]);
    await oci.call(['run', '--bundle', bundle, 'hostile']);
    expect(readdirSync(victim)).toEqual([]);
  });
});

test('the command line of runc', async () => {
  expect(await output(ociLauncher, ['--version'])).toMatch(/^trun-oci version \S+\nspec: 1\.\d\.\d$/);
  expect(JSON.parse(await oci.ok(['features']))).toMatchObject({ linux: { cgroup: { v1: true, v2: true } } });
  const log = join(oci.folder, 'log.json');
  const { status, stderr } = await oci.call(['--log', log, '--log-format=json', '--systemd-cgroup', 'state', 'nobody']);
  expect({ status, stderr }).toEqual({ status: 1, stderr: 'container does not exist\n' });
  expect(JSON.parse(readFileSync(log, 'utf8'))).toMatchObject({ level: 'error', msg: 'container does not exist' });
  await expect(oci.ok(['state', '../escape'])).rejects.toThrow('invalid container id');
  await expect(oci.ok(['checkpoint', 'x'])).rejects.toThrow('checkpoint is not supported');
});
