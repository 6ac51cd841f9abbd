/**
 * Hosts that lack something: each test makes one, for a user without privileges. docs/hosts.md is the table of them.
 *
 * Runs as: user
 */
import { readdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { run, type Result } from '../helpers/command.ts';
import { devices, noSubordinateIds, onHost } from '../helpers/host-without.ts';
import { launcher } from '../helpers/paths.ts';
import { unmet } from '../helpers/requirements.ts';
import { Sandbox } from '../helpers/sandbox.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ images: ['busybox'], requires: ['ordinary-user', 'dev-net-tun'] });

function sandbox(): Sandbox {
  const box = new Sandbox();
  onTestFinished(() => box.discard());
  return box;
}

function complaints({ stderr }: Result): string[] {
  return stderr.split('\n').filter((line) => line.startsWith('trun: '));
}

/** Pulls the image before the script, `$IMAGE` to it. */
function env(more: NodeJS.ProcessEnv = {}): { env: NodeJS.ProcessEnv } {
  return { env: { IMAGE: bed.image('busybox'), ...more } };
}

const PULL = '"$0" pull -q $IMAGE >/dev/null;';

test('no newuidmap: a single id, said once', async ({ skip }) => {
  const reason = await unmet(['subordinate-ids']);
  if (reason !== undefined) skip(reason);
  const hide = 'for f in /usr/bin/newuidmap /usr/bin/newgidmap; do mount --bind /dev/null $f; done';
  const script = `${PULL} for i in 1 2; do "$0" run --rm $IMAGE sh -c 'id -u; chown 5:5 /etc/passwd && echo done'; done`;
  const result = await onHost(sandbox(), [hide], script, env());
  expect(result).toMatchObject({ status: 0, stdout: '0\ndone\n0\ndone\n' });
  expect(complaints(result)).toEqual([expect.stringMatching(/newuidmap.*uidmap.*single user id/)]);
});

describe('no /dev/fuse', () => {
  const lacking = [noSubordinateIds, devices('net/tun')];

  test('containers run on a plain copy of the image, said once', async () => {
    const box = sandbox();
    const change =
      'cat /var/www/index.html; echo new >/etc/new; rm /bin/vi; rm -r /var/www; mkdir /var/www; ls -A /var/www';
    // What a killed process has left half made goes, too.
    const script = `${PULL} mkdir -p $TRUN_ROOT/images/plain/killed.draft/bin
      "$0" run --name first $IMAGE sh -c '${change}'; "$0" diff first | sort
      "$0" run --rm $IMAGE sh -c 'test -e /etc/new || cat /var/www/index.html; ls /bin/vi; stat -c %a /tmp /root/..'
      "$0" run --rm -v filled:/var/www $IMAGE cat /var/www/index.html
      "$0" rm first; "$0" rmi $IMAGE | tail -n 1 | cut -c 1-15; ls $TRUN_ROOT/images/plain`;
    const result = await onHost(box, lacking, script, env());
    expect(result.stdout.split('\n')).toEqual([
      'served by busybox',
      ...['A /etc/new', 'C /bin', 'C /etc', 'C /var', 'C /var/www', 'D /bin/vi'],
      ...['served by busybox', '/bin/vi', '1777', '755'],
      'served by busybox',
      ...['first', 'Deleted: sha256', 'lock', ''],
    ]);
    expect(complaints(result)).toEqual([expect.stringMatching(/\/dev\/fuse.*plain copies.*modprobe fuse/)]);
  });

  test('with all ids of a user the copy has the owners of the image', async ({ skip }) => {
    const reason = await unmet(['subordinate-ids']);
    if (reason !== undefined) skip(reason);
    const box = sandbox();
    await mkdir(join(box.folder, 'context'));
    const owned = 'RUN touch /owned && chown 7:8 /owned && chmod 4750 /owned';
    await writeFile(join(box.folder, 'context/Dockerfile'), `FROM ${bed.image('busybox')}\n${owned}\n`);
    const script = `"$0" build -q -t owners $BOX/context >/dev/null; "$0" run --rm owners stat -c '%u:%g %a' /owned /bin/busybox`;
    const result = await onHost(box, [devices('net/tun')], script, { ...env(), asRoot: true });
    expect(result, result.stderr).toMatchObject({ status: 0, stdout: '7:8 4750\n0:0 755\n' });
  });

  test('builds', async () => {
    const box = sandbox();
    const context = join(box.folder, 'context');
    await mkdir(context);
    const dockerfile = `FROM ${bed.image('busybox')}\nRUN echo built >/built\nRUN cat /built >/copied && rm /bin/vi\n`;
    await writeFile(join(context, 'Dockerfile'), dockerfile);
    const script = `"$0" build -q -t of-copies $BOX/context >/dev/null && "$0" run --rm of-copies sh -c 'cat /copied; ls /bin/vi'`;
    const result = await onHost(box, lacking, script, env());
    expect(result, result.stderr).toMatchObject({ stdout: 'built\n' });
    expect(result.stderr).toContain('/bin/vi: No such file');
    expect(readdirSync(join(box.root, 'images/plain')).filter((name) => name.endsWith('.draft'))).toEqual([]);
  });

  test('what cannot be copied is one line: host, a folder, a FUSE layer', async () => {
    const options = ['host', '--rootfs /', '--storage-opt writable=fuse $IMAGE'];
    const script = `${PULL} ${options.map((option) => `"$0" run --rm ${option} true; echo $?`).join(';')}`;
    const result = await onHost(sandbox(), lacking, script, env());
    expect(result.stdout).toBe('125\n125\n125\n');
    expect(complaints(result)).toHaveLength(3);
    for (const line of complaints(result)) expect(line).toMatch(/Cannot open \/dev\/fuse.*modprobe fuse/);
  });

  test('a device of that name which is another one', async () => {
    const hide = `${noSubordinateIds}\nmount --bind /dev/null /dev/fuse`;
    const result = await onHost(sandbox(), [hide], `${PULL} "$0" run --rm $IMAGE echo runs`, env());
    expect(result).toMatchObject({ status: 0, stdout: 'runs\n' });
    expect(complaints(result)).toEqual([expect.stringMatching(/not the device of FUSE/)]);
  });

  test('a full disk leaves no half copy, and room makes it work', async () => {
    const small = 'mkdir $BOX/root; mount -t tmpfs -o size=7m small $BOX/root';
    const fill = 'head -c 100m /dev/zero >$TRUN_ROOT/filler 2>/dev/null; truncate -s -300k $TRUN_ROOT/filler';
    const script = `${PULL} ${fill}; "$0" run --rm $IMAGE echo no; echo $?; rm $TRUN_ROOT/filler
      ls $TRUN_ROOT/images/plain | grep -v lock; "$0" run --rm $IMAGE echo yes`;
    const result = await onHost(sandbox(), [...lacking, small], script, env());
    expect(result, result.stderr).toMatchObject({ stdout: '125\nyes\n' });
    expect(complaints(result)[0]).toMatch(/plain copy of the image.*(no space left|ENOSPC)/i);
  });
});

test('no /dev/net/tun: none and host work, bridge is one line', async () => {
  const script = `${PULL} for n in none host bridge; do "$0" run --rm --network $n $IMAGE echo $n; echo $?; done`;
  const result = await onHost(sandbox(), [noSubordinateIds, devices('fuse')], script, env());
  expect(result.stdout).toBe('none\n0\nhost\n0\n125\n');
  expect(complaints(result)).toEqual([expect.stringMatching(/\/dev\/net\/tun.*--network host and none/)]);
});

test('no run-time folder', async () => {
  const box = sandbox();
  const script = `${PULL} "$0" run -d --name lasting $IMAGE sleep 1000 >/dev/null; "$0" exec lasting echo reached; "$0" rm -f lasting`;
  for (const runtime of [undefined, '/proc/nowhere', '/root']) {
    const result = await onHost(box, [noSubordinateIds], script, env({ XDG_RUNTIME_DIR: runtime }));
    expect(result).toMatchObject({ status: 0, stdout: 'reached\nlasting\n', stderr: '' });
    await box.discard();
  }
});

test('no systemd and a read-only /sys: containers run, limits are one line', async () => {
  const lacking = 'mount -t tmpfs run /run; mount -t tmpfs none /sys/fs/cgroup; mount -o remount,bind,ro /sys';
  const script = `${PULL} touch /sys/x 2>/dev/null || echo read-only; "$0" run --rm $IMAGE echo runs
    "$0" run --rm --memory 64m $IMAGE echo limited; echo $?`;
  const variables = { DBUS_SESSION_BUS_ADDRESS: undefined };
  const result = await onHost(sandbox(), [noSubordinateIds, lacking], script, env(variables));
  expect(result.stdout).toBe('read-only\nruns\n125\n');
  expect(complaints(result)).toHaveLength(1);
});

test('a home without attributes of users (ramfs)', async () => {
  const lacking = 'mkdir $BOX/root; mount -t ramfs ram $BOX/root; chmod 777 $BOX/root';
  const script = `${PULL} "$0" run --name kept $IMAGE sh -c 'rm /bin/vi; echo x >/etc/passwd'; "$0" diff kept
    "$0" start -a kept; "$0" inspect -f '{{.State.ExitCode}}' kept; "$0" doctor | grep overlay >&2`;
  const result = await onHost(sandbox(), [noSubordinateIds, lacking], script, env());
  expect(result.stdout).toContain('D /bin/vi\n');
  expect(result.stdout).toContain('C /etc/passwd\n');
  expect(result.stdout).toMatch(/\n0\n$/);
  expect(result.stderr).toMatch(/^limited +overlay.*served by FUSE/m);
});

test('home full: one line, nothing is lost, and it works again', async () => {
  const small = 'mkdir $BOX/root; mount -t tmpfs -o size=12m small $BOX/root';
  const script = `${PULL} "$0" run --name kept $IMAGE sh -c 'echo precious >/file'
    head -c 100m /dev/zero >$TRUN_ROOT/filler 2>/dev/null
    "$0" run --name refused $IMAGE sh -c 'echo no'; echo "status $?"; "$0" ps -a --format '{{.Names}}' | grep kept
    rm $TRUN_ROOT/filler
    "$0" cp kept:/file - | tar xO; "$0" start -a kept && "$0" run --rm $IMAGE echo again`;
  const result = await onHost(sandbox(), [noSubordinateIds, small], script, env());
  expect(result.stdout).toBe('status 125\nkept\nprecious\nagain\n');
  expect(complaints(result)).toHaveLength(1);
  expect(complaints(result)[0]).toMatch(/no space left|ENOSPC/i);
});

describe('inside a container', () => {
  const devicesOf = '--device /dev/fuse --device /dev/net/tun';
  const nest = `"$0" run --rm --privileged --network host -e PATH -e HOME=/root -e IMAGE`;

  test('privileged, with both devices: bridge networks within', async () => {
    const script = `${nest} ${devicesOf} -v state:/state -e TRUN_ROOT=/state host sh -c '
      ${PULL} "$0" run --rm $IMAGE sh -c "echo within; ip route | grep -c default; touch /new"' "$0"`;
    expect(await inside(script)).toMatchObject({ status: 0, stdout: 'within\n1\n', stderr: '' });
  });

  test('three deep', async () => {
    const deeper = `${nest} ${devicesOf} -e NEST -e T`.replace('"$0"', '$0');
    const script = `export T="$0" NEST="${deeper}"
      $NEST -v second:/second -e TRUN_ROOT=/second host sh -c '
        $NEST -v third:/third -e TRUN_ROOT=/third host sh -c "$T run -q --rm $IMAGE echo innermost"'`;
    const result = await inside(script);
    expect(result, result.stderr).toMatchObject({ status: 0, stdout: 'innermost\n' });
  });

  test('without the devices: plain copies, and no bridge', async () => {
    const script = `${nest} -v state:/state -e TRUN_ROOT=/state host sh -c '
      ${PULL} "$0" run --rm --network none $IMAGE echo within; "$0" run --rm $IMAGE true; echo $?' "$0"`;
    const result = await inside(script);
    expect(result.stdout).toBe('within\n125\n');
    expect(complaints(result)).toEqual([
      expect.stringMatching(/plain copies/),
      expect.stringMatching(/\/dev\/net\/tun/),
    ]);
  });

  test('not privileged: one line with the mend', async () => {
    const script = `"$0" run --rm --network host -e PATH -e IMAGE -e TRUN_ROOT=/tmp/state host sh -c '
      ${PULL} "$0" run --rm $IMAGE true; echo $?' "$0"`;
    const result = await inside(script);
    expect(result.stdout).toBe('125\n');
    expect(complaints(result)).toEqual([expect.stringMatching(/user namespace.*doctor.*--privileged/)]);
  });

  function inside(script: string): Promise<Result> {
    const box = sandbox();
    return run('sh', ['-c', script, launcher], { env: { ...box.env, ...env().env } });
  }
});
