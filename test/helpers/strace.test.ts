import { expect, test } from 'vitest';
import { outsideWrites } from './strace.ts';

function writes(...lines: readonly string[]): string[] {
  return outsideWrites(lines, ['/state']);
}

test('finds what opens, makes and removes elsewhere', () => {
  expect(
    writes(
      `1 openat(AT_FDCWD</home>, "file, with comma", O_WRONLY|O_CREAT, 0666) = 3</home/file, with comma>`,
      `1 mkdir("/tmp/x", 0777) = 0`,
      `1 renameat2(5</state>, "a", 6</home>, "b", 0) = 0`,
      `1 unlink("/state/../etc/passwd") = 0`,
      `1 symlink("/anywhere", "/home/link") = 0`,
    ),
  ).toEqual([
    'openat /home/file, with comma',
    'mkdir /tmp/x',
    'renameat2 /home/b',
    'unlink /etc/passwd',
    'symlink /home/link',
  ]);
});

test('passes over reads, failures, devices and the state folder', () => {
  expect(
    writes(
      `1 openat(AT_FDCWD</home>, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3</etc/passwd>`,
      `1 openat(AT_FDCWD</home>, "/etc/passwd", O_RDWR) = -1 EACCES (Permission denied)`,
      `1 openat(AT_FDCWD</home>, "/dev/null", O_RDWR) = 3</dev/null>`,
      `1 openat(7</state/containers>, "x", O_RDWR|O_CREAT, 0600) = 3</state/containers/x>`,
      `1 mkdir("/state", 0700) = 0`,
      `1 openat(AT_FDCWD</home>, "/proc/12/uid_map", O_WRONLY) = 3</proc/12/uid_map>`,
    ),
  ).toEqual([]);
});

test('a name that begins like the state folder is not in it', () => {
  expect(writes(`1 mkdir("/state-of-things", 0700) = 0`)).toEqual(['mkdir /state-of-things']);
});

test('a process in a mount namespace of its own writes its own files', () => {
  expect(
    writes(
      `1 clone(child_stack=NULL, flags=CLONE_NEWUSER|CLONE_NEWNS|SIGCHLD) = 2`,
      `2 mkdir("/tmp/inside", 0777) = 0`,
      `2 vfork() = 3`,
      `3 mkdir("/tmp/inside-too", 0777) = 0`,
      `1 mkdir("/tmp/outside", 0777) = 0`,
      `4 setns(5<pidfd:[6]>, CLONE_NEWUSER|CLONE_NEWNS) = 0`,
      `4 mkdir("/tmp/joined", 0777) = 0`,
    ),
  ).toEqual(['mkdir /tmp/outside']);
});

test('a call that is split between lines counts as one', () => {
  expect(
    writes(
      `1 clone(child_stack=NULL, flags=CLONE_NEWUSER|CLONE_NEWNS|SIGCHLD <unfinished ...>`,
      `5 mkdir("/tmp/split", 0777 <unfinished ...>`,
      `1 <... clone resumed>) = 2`,
      `5 <... mkdir resumed>) = 0`,
      `2 mkdir("/tmp/inside", 0777) = 0`,
    ),
  ).toEqual(['mkdir /tmp/split']);
});
