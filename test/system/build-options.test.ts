/** Options of `trun build` and of ADD and COPY that change what a step does or whether it runs. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { makeContext } from '../helpers/build-context.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ images: ['busybox'] });

test('ADD --checksum takes what it names and nothing else', async () => {
  const { box } = bed;
  await using server = createServer((_request, response) => response.end('downloaded\n')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`;
  function build(checksum: string) {
    const context = makeContext(box.folder, {
      Dockerfile: `FROM scratch\nADD --checksum=sha256:${checksum} ${url} /f`,
    });
    return box.trun(['build', '-q', '-t', 'checked', context]);
  }
  expect((await build(createHash('sha256').update('downloaded\n').digest('hex'))).status).toBe(0);
  const refused = await build('0'.repeat(64));
  expect(refused.status).toBe(1);
  expect(refused.stderr).toMatch(/digest mismatch/);
});

test('COPY --link, --add-host, --shm-size and --ulimit', async () => {
  const { box } = bed;
  const context = makeContext(box.folder, {
    file: 'linked\n',
    Dockerfile: [
      `FROM ${bed.image('busybox')}`,
      'COPY --link file /new/file',
      'RUN cat /new/file > /seen; grep -o "10.9.8.7.*other" /etc/hosts >> /seen; ulimit -n >> /seen',
      "RUN df -k /dev/shm | tail -1 | awk '{ print $2 }' >> /seen",
    ].join('\n'),
  });
  const options = ['--add-host', 'other:10.9.8.7', '--shm-size', '1m', '--ulimit', 'nofile=77:88'];
  await box.ok(['build', '-q', ...options, '-t', 'options', context]);
  expect((await box.ok('run --rm options cat /seen')).split(/\s+/)).toEqual([
    'linked',
    '10.9.8.7',
    'other',
    '77',
    '1024',
  ]);
});

test('--no-cache-filter runs the stages that it names again', async () => {
  const { box } = bed;
  const base = bed.image('busybox');
  const context = makeContext(box.folder, {
    Dockerfile: [
      ...[`FROM ${base} AS kept`, 'RUN cat /proc/sys/kernel/random/uuid > /kept'],
      ...[`FROM ${base} AS again`, 'RUN cat /proc/sys/kernel/random/uuid > /again'],
      ...['FROM scratch', 'COPY --from=kept /kept /', 'COPY --from=again /again /', `COPY --from=${base} /bin /bin`],
    ].join('\n'),
  });
  async function build(...options: string[]): Promise<string[]> {
    await box.ok(['build', '-q', ...options, '-t', 'filtered', context]);
    return (await box.ok('run --rm filtered cat /kept /again')).split('\n');
  }
  const [kept, again] = await build();
  expect(await build()).toEqual([kept, again]);
  const filtered = await build('--no-cache-filter', 'again');
  expect(filtered[0]).toBe(kept);
  expect(filtered[1]).not.toBe(again);
});
