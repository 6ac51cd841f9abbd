import { closeSync, writeSync } from 'node:fs';
import { native } from './koffi.ts';
import { check } from './system-error.ts';

const memfdCreate = native('memfd_create', 'int', ['str', 'uint']);
const fcntl = native('fcntl', 'int', ['int', 'int', 'int']);

// linux/memfd.h, linux/fcntl.h
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
const F_SEAL_SEAL_SHRINK_GROW_WRITE = 0xf;

/** An anonymous file (memfd_create(2)), close-on-exec; the caller closes it. */
export function memfd(name: string): number {
  return check(memfdCreate(name, MFD_CLOEXEC), 'memfd_create');
}

/**
 * An anonymous file with this content that nobody can change any more, not even its owner (memfd_create(2), sealing in
 * fcntl(2)). The fd is close-on-exec; the caller closes it.
 */
export function sealedMemfd(name: string, content: Uint8Array): number {
  const fd = check(memfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), 'memfd_create');
  try {
    for (let at = 0; at < content.length;) at += writeSync(fd, content, at);
    check(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL_SHRINK_GROW_WRITE), 'fcntl');
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
