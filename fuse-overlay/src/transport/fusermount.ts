/** Mounting as an ordinary user through the setuid program of the fuse3 package (fusermount3(1)). */
import { spawnSync } from 'node:child_process';
import { checked } from '../sys/errors.ts';
import { close } from '../sys/files.ts';
import { receiveFd, socketPair } from '../sys/socket.ts';

/** Mounts with the options, comma-separated, and returns the descriptor of /dev/fuse. */
export function mountWithFusermount(target: string, options: string): number {
  const pair = socketPair();
  if (typeof pair === 'number') return checked(pair, 'socketpair', `mount a FUSE file system on ${target}`, target);
  const [ours, theirs] = pair;
  try {
    // The program sends the descriptor over the socket that this variable names.
    const { status, stderr, error } = spawnSync('fusermount3', ['-o', options, '--', target], {
      stdio: ['ignore', 'ignore', 'pipe', theirs],
      env: { ...process.env, _FUSE_COMMFD: '3' },
      encoding: 'utf8',
    });
    if (error) throw error;
    if (status !== 0) throw new Error(`Cannot mount a FUSE file system on ${target}: ${stderr.trim()}`);
    return checked(receiveFd(ours), 'recvmsg', `receive the descriptor of the mount on ${target}`, target);
  } finally {
    close(ours);
    close(theirs);
  }
}

export function unmountWithFusermount(target: string): void {
  const { status, stderr, error } = spawnSync('fusermount3', ['-u', '-z', '--', target], { encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`Cannot unmount ${target}: ${stderr.trim()}`);
}
