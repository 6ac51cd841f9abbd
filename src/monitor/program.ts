/** The monitor's program as it is executed. */
import { readFileSync } from 'node:fs';
import { monitorBinary } from '../base/install.ts';
import { sealedMemfd } from '../sys/memfd.ts';

let programFd: number | undefined;

/**
 * The program runs from a sealed memory file. Container processes can reach it as /proc/PID/exe while it prepares them,
 * and the file under the installation belongs to the user that the container's root is mapped to: it could be
 * overwritten from inside (CVE-2019-5736).
 */
export function monitorProgram(): string {
  programFd ??= sealedMemfd('trun-monitor', readFileSync(monitorBinary()));
  return `/proc/self/fd/${programFd}`;
}
