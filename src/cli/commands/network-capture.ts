import { closeSync, openSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { captureContainer } from '../../engine/capture.ts';
import { findContainer } from '../../engine/container.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { defineCommand } from '../command.ts';
import { UsageError } from '../flags/usage-error.ts';

const standardOutput = 1;
const wholeFrames = 262_144;

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER',
  summary: "Record a running container's packets for tcpdump or wireshark",
  details: 'The format is pcapng. It ends with Ctrl-C, with the container, or after --count packets.',
  flags: {
    count: { kind: 'integer', short: 'c', help: 'Number of packets' },
    interface: { kind: 'text', short: 'i', help: 'The one interface to record (default all but lo)' },
    'snapshot-length': { kind: 'integer', short: 's', help: 'Bytes of each packet (default all)' },
    write: { kind: 'text', short: 'w', type: 'file', help: 'File to write, - for standard output' },
  },
  args: [1, 1],
  async run(context, { count, interface: name, 'snapshot-length': snapLength, write: path }, [container]) {
    if (path === undefined) throw new UsageError('where to? Give a file by -w FILE, or -w - for standard output');
    for (const number of [count, snapLength]) {
      if (number !== undefined && number < 1) throw new InvalidInput(`${number} has to be 1 or more`);
    }
    if (path === '-' && context.stdout.isTTY)
      throw new UsageError('packets are not for a terminal: use -w FILE or a pipe');
    const found = findContainer(context.paths(), container!);
    const file = path === '-' ? standardOutput : openSync(resolve(context.cwd, path), 'w', 0o600);
    const options = {
      ...(name === undefined ? {} : { interface: name }),
      snapLength: snapLength ?? wholeFrames,
      ...(count === undefined ? {} : { count }),
    };
    try {
      const capture = await captureContainer(found, options, (bytes) => writeAll(file, bytes));
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => capture.stop());
      context.stderr.write(`capturing on ${name ?? 'all interfaces'} of ${found.config.name}\n`);
      const { captured, dropped } = await capture.ended;
      context.stderr.write(`${captured} packets captured, ${dropped} packets dropped by kernel\n`);
    } finally {
      if (file !== standardOutput) closeSync(file);
    }
    return 0;
  },
});

/** Waits for a reader who is slow. */
function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(file, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}
