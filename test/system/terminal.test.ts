/**
 * `-it`, `attach` and detaching, on a real terminal.
 */
import { describe, expect, onTestFinished, test } from 'vitest';
import { launcher } from '../helpers/paths.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { Terminal } from '../helpers/terminal.ts';

const bed = useSandbox({ images: ['busybox'], requires: ['tmux'] });
let count = 0;

async function open(words: readonly string[], size = {}): Promise<Terminal> {
  const terminal = await bed.box.terminal(words, size);
  onTestFinished(() => terminal[Symbol.asyncDispose]());
  return terminal;
}

/** A shell of the host on a terminal, for what trun leaves behind on it. */
async function openShell(): Promise<Terminal> {
  const env = { ...bed.box.env, PS1: '$ ', ENV: '' };
  const terminal = await Terminal.open(['sh'], { folder: bed.box.folder, env });
  onTestFinished(() => terminal[Symbol.asyncDispose]());
  await terminal.shows('$');
  return terminal;
}

function newName(): string {
  const name = `tty-${count++}`;
  onTestFinished(async () => {
    await bed.box.trun(['rm', '-f', name]);
  });
  return name;
}

describe('run -it', () => {
  test('is a terminal with a shell that answers', async () => {
    const terminal = await open(['run', '-it', '--rm', bed.image('busybox'), 'sh']);
    await terminal.shows('/ #');
    await terminal.enter('tty; echo $((6 * 7)) $TERM');
    await terminal.shows('/dev/pts/0');
    await terminal.shows('42 xterm');
    await terminal.enter('exit 7');
    expect(await terminal.exitStatus()).toBe(7);
  });

  test('Ctrl-C reaches the foreground process alone, Ctrl-D ends the shell', async () => {
    const terminal = await open(['run', '-it', '--rm', bed.image('busybox'), 'sh']);
    await terminal.shows('/ #');
    // While the shell still edits the line, Ctrl-C is one of its editing keys.
    await terminal.enter('echo be""gun; sleep 1000; echo ended with $?');
    await terminal.shows('begun');
    await terminal.press('C-c');
    await terminal.enter('echo still $((1 + 1))');
    await terminal.shows('still 2');
    await terminal.press('C-d');
    expect(await terminal.exitStatus()).toBeLessThan(131);
  });

  test('job control works', async () => {
    const terminal = await open(['run', '-it', '--rm', bed.image('busybox'), 'sh']);
    await terminal.shows('/ #');
    expect(await terminal.screen()).not.toMatch(/job control|can't access tty/);
    await terminal.enter('sleep 1000');
    // A shell that has not yet started it would take the key for itself.
    await waitFor('sleep to run', () => bed.box.containerProcesses().some(({ command }) => command === 'sleep 1000'));
    await terminal.press('C-z');
    await terminal.shows(/Stopped/);
    await terminal.enter('fg');
    await terminal.press('C-c');
    await terminal.enter('exit 0');
    expect(await terminal.exitStatus()).toBe(0);
  });

  test('has the size of the window, and follows it', async () => {
    const script = "trap 'stty size' WINCH; trap 'exit 3' INT; stty size; while :; do sleep 0.1; done";
    const terminal = await open(['run', '-it', '--rm', bed.image('busybox'), 'sh', '-c', script], {
      columns: 101,
      rows: 31,
    });
    await terminal.shows('31 101');
    await terminal.resize(90, 25);
    await terminal.shows('25 90');
    await terminal.resize(60, 15);
    await terminal.shows('15 60');
    await terminal.press('C-c');
    expect(await terminal.exitStatus()).toBe(3);
  });

  test('the size is there from the first moment on', async () => {
    const terminal = await open(['run', '-it', '--rm', bed.image('busybox'), 'stty', 'size'], {
      columns: 77,
      rows: 22,
    });
    await terminal.shows('22 77');
  });

  test('leaves the terminal as it was', async () => {
    const terminal = await openShell();
    await terminal.enter(`stty -a | md5sum; '${launcher}' run -it --rm ${bed.image('busybox')} true; stty -a | md5sum`);
    const screen = await terminal.shows(/^[0-9a-f]{32}[^]*^[0-9a-f]{32}/m);
    const sums = screen.match(/^[0-9a-f]{32}/gm)!;
    expect(sums).toHaveLength(2);
    expect(sums[0]).toBe(sums[1]);
  });

  test('a closed terminal ends trun and not the container', async () => {
    const name = newName();
    const terminal = await bed.box.terminal(['run', '-it', '--name', name, bed.image('busybox'), 'sh']);
    await terminal.shows('/ #');
    await terminal[Symbol.asyncDispose]();
    // A hang-up is forwarded as Docker forwards it: the shell may end by it, but the record is true either way.
    expect(['running', 'exited']).toContain(await bed.box.inspect(name, '{{.State.Status}}'));
  });

  test('large output arrives whole', async () => {
    const terminal = await open(['run', '-it', '--rm', bed.image('busybox'), 'sh', '-c', 'seq 1 1500; echo "the end"']);
    await terminal.shows('the end');
    const numbers = (await terminal.screen()).split('\n').filter((line) => /^\d+$/.test(line));
    expect(numbers).toEqual(Array.from({ length: 1500 }, (_, index) => String(index + 1)));
  });
});

describe('without a terminal', () => {
  test('-it is refused', async () => {
    const { status, stderr } = await bed.box.trun(['run', '-it', '--rm', bed.image('busybox'), 'true'], { input: '' });
    expect(status).toBeGreaterThan(0);
    expect(stderr).toMatch(/the input device is not a TTY/);
  });

  test('-t alone gives the command one', async () => {
    expect((await bed.box.trun(['run', '-t', '--rm', bed.image('busybox'), 'tty'])).stdout).toBe('/dev/pts/0\r\n');
  });
});

describe('attach and detach', () => {
  test('Ctrl-P Ctrl-Q leaves the container running; attach comes back; logs has it all', async () => {
    const name = newName();
    const first = await open(['run', '-it', '--name', name, bed.image('busybox'), 'sh']);
    await first.shows('/ #');
    await first.enter('echo before $((40 + 2))');
    await first.shows('before 42');
    await first.press('C-p', 'C-q');
    expect(await first.exitStatus()).toBe(0);
    expect(await bed.box.inspect(name, '{{.State.Status}}')).toBe('running');

    const second = await open(['attach', name]);
    await second.enter('echo after $((40 + 3))');
    await second.shows('after 43');
    await second.enter('exit 9');
    expect(await second.exitStatus()).toBe(9);
    expect(await bed.box.inspect(name, '{{.State.ExitCode}}')).toBe('9');
    const logs = await bed.box.ok(['logs', name]);
    expect(logs).toContain('before 42');
    expect(logs).toContain('after 43');
  });

  test('Ctrl-P alone goes to the container', async () => {
    const terminal = await open([
      'run',
      '-it',
      '--rm',
      bed.image('busybox'),
      'sh',
      '-c',
      'stty raw; head -c 2 | od -c',
    ]);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await terminal.press('C-p', 'x');
    await terminal.shows(/020\s+x/);
  });

  test('two may be attached at once', async () => {
    const name = newName();
    await bed.box.ok(['run', '-dit', '--name', name, bed.image('busybox'), 'sh']);
    const [one, two] = [await open(['attach', name]), await open(['attach', name])];
    for (const terminal of [one, two]) {
      await terminal.press('Enter');
      await terminal.shows('/ #');
    }
    await one.enter('echo seen by $((1 + 1))');
    await one.shows('seen by 2');
    await two.shows('seen by 2');
  });

  test('attach passes on what is printed, and the exit code', async () => {
    const name = newName();
    const script = 'while [ ! -e /go ]; do sleep 0.05; done; echo now; exit 3';
    await bed.box.ok(['run', '-d', '--name', name, bed.image('busybox'), 'sh', '-c', script]);
    const attached = bed.box.start(['attach', name]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await bed.box.ok(['exec', name, 'touch', '/go']);
    expect(await attached.result).toMatchObject({ status: 3, stdout: 'now\n' });
  });

  test('attach to a stopped or unknown container is an error', async () => {
    const name = newName();
    await bed.box.ok(['run', '--name', name, bed.image('busybox'), 'true']);
    expect((await bed.box.trun(['attach', name])).status).toBe(1);
    expect((await bed.box.trun(['attach', 'no-such-box'])).status).toBe(1);
  });
});

describe('exec -it', () => {
  test('has a terminal of its own, its size, and its exit code', async () => {
    const name = newName();
    await bed.box.ok(['run', '-d', '--name', name, bed.image('busybox'), 'sleep', '1000']);
    const terminal = await open(['exec', '-it', name, 'sh'], { columns: 99, rows: 33 });
    await terminal.shows('/ #');
    await terminal.enter('tty; stty size');
    await terminal.shows('/dev/pts/');
    await terminal.shows('33 99');
    await terminal.resize(70, 20);
    await terminal.enter('sleep 0.3; stty size');
    await terminal.shows('20 70');
    await terminal.enter('exit 5');
    expect(await terminal.exitStatus()).toBe(5);
  });

  test('Ctrl-P Ctrl-Q leaves it', async () => {
    const name = newName();
    await bed.box.ok(['run', '-d', '--name', name, bed.image('busybox'), 'sleep', '1000']);
    const terminal = await open(['exec', '-it', name, 'sh', '-c', 'echo in; exec sleep 77']);
    await terminal.shows('in');
    await terminal.press('C-p', 'C-q');
    await terminal.exitStatus();
    expect(await bed.box.ok(['top', name])).toContain('sleep 77');
  });
});
