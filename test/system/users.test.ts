/**
 * Users and groups inside a container, where a range of ids is mapped.
 *
 * Runs as: user, root
 */
import { describe, expect, test } from 'vitest';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ images: ['busybox', 'features'], requires: ['subordinate-ids'] });

function as(user: string, ...command: readonly string[]): Promise<string> {
  return bed.box.ok(['run', '--rm', '-u', user, bed.image('busybox'), ...command]);
}

/** `uid=1(a) gid=2(b) groups=3(c),4(d)`, taken apart: the order of the groups says nothing. */
function parts(printed: string): string[] {
  return printed.replace('groups=', '').split(/[ ,]/);
}

describe('-u', () => {
  test.each([
    ['guest', 'uid=1000(guest) gid=1000(guest) groups=50(staff),1000(guest)'],
    ['guest:www-data', 'uid=1000(guest) gid=33(www-data)'],
    ['33', 'uid=33(www-data) gid=33(www-data)'],
    ['33:50', 'uid=33(www-data) gid=50(staff)'],
    ['nobody', 'uid=65534(nobody) gid=65534(nogroup)'],
    ['4321', 'uid=4321 gid=0(root)'],
    ['4321:1234', 'uid=4321 gid=1234'],
  ])('%s', async (user, expected) => {
    const printed = await as(user, 'id');
    expect(parts(printed)).toEqual(expect.arrayContaining(parts(expected)));
  });

  test('an ordinary user has no capabilities', async () => {
    const status = await as('guest', 'cat', '/proc/self/status');
    expect(status).toMatch(/^CapEff:\s*0000000000000000$/m);
    expect(status).toMatch(/^CapPrm:\s*0000000000000000$/m);
  });

  test("HOME is the user's", async () => {
    expect(await as('guest', 'sh', '-c', 'echo $HOME')).toBe('/home/guest');
  });

  test.each(['no-such-user', 'guest:no-such-group'])('%s is an error', async (user) => {
    const { status, stderr } = await bed.box.trun(['run', '--rm', '-u', user, bed.image('busybox'), 'true']);
    expect([125, 126]).toContain(status);
    expect(stderr).toMatch(/no-such-(user|group)/);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  test("the image's user counts without it", async () => {
    const printed = await bed.box.ok(['run', '--rm', '--entrypoint', 'id', bed.image('features')]);
    expect(printed).toMatch(/^uid=1000\(guest\) gid=50\(staff\)/);
  });
});

describe('ownership', () => {
  test('root changes owners, an ordinary user does not', async () => {
    const script = 'touch /f; chown guest:staff /f; stat -c %U:%G /f; su guest -c "chown root /f; rm /etc/passwd" 2>&1';
    const printed = await bed.box.ok(['run', '--rm', bed.image('busybox'), 'sh', '-c', `${script}; true`]);
    expect(printed.split('\n')[0]).toBe('guest:staff');
    expect(printed.match(/not permitted|denied/gi)!.length).toBeGreaterThanOrEqual(2);
  });

  test('permissions hold between users', async () => {
    const script = 'echo secret >/f; chmod 600 /f; su guest -c "cat /f" 2>&1; chmod 644 /f; su guest -c "cat /f"';
    const printed = await bed.box.ok(['run', '--rm', bed.image('busybox'), 'sh', '-c', script]);
    expect(printed.split('\n')[0]).toMatch(/denied/i);
    expect(printed.split('\n').at(-1)).toBe('secret');
  });

  test('files of all owners go away with the container', async () => {
    const script =
      'mkdir /d; for u in 1 33 1000 65534; do mkdir /d/$u; touch /d/$u/f; chown -R $u:$u /d/$u; chmod 700 /d/$u; done';
    await bed.box.ok(['run', '--name', 'owners', bed.image('busybox'), 'sh', '-c', script]);
    await bed.box.ok('rm owners');
    expect(await bed.box.foreignFiles()).toBe('');
  });
});
