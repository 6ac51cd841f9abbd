import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { type IdExtent, mapArguments, mapText } from '../../base/id-extents.ts';
import type { IdMapping, Linux } from '../../oci/runtime-spec.ts';
import { RuntimeError } from '../runtime-error.ts';

/**
 * Gives the new user namespace of `pid` its ids. Who may map them writes them down; an ordinary user has them written by
 * newuidmap(1) and newgidmap(1), but a map of only its own id, which it may write itself (user_namespaces(7)).
 */
export function writeIdMaps(pid: number, { uidMappings = [], gidMappings = [] }: Linux): void {
  const uids = uidMappings.map(extent);
  const gids = gidMappings.map(extent);
  if (process.geteuid!() === 0) {
    write(pid, 'gid_map', gids);
    write(pid, 'uid_map', uids);
    return;
  }
  if (isOnly(gids, process.getegid!())) {
    writeFileSync(`/proc/${pid}/setgroups`, 'deny');
    write(pid, 'gid_map', gids);
  } else {
    runTool('newgidmap', pid, gids);
  }
  if (isOnly(uids, process.geteuid!())) write(pid, 'uid_map', uids);
  else runTool('newuidmap', pid, uids);
}

function extent({ containerID, hostID, size }: IdMapping): IdExtent {
  return { inside: containerID, outside: hostID, count: size };
}

function isOnly(extents: readonly IdExtent[], id: number): boolean {
  return extents.length === 1 && extents[0]!.outside === id && extents[0]!.count === 1;
}

function write(pid: number, name: 'uid_map' | 'gid_map', extents: readonly IdExtent[]): void {
  try {
    writeFileSync(`/proc/${pid}/${name}`, mapText(extents));
  } catch (error) {
    throw new RuntimeError(`cannot write ${name}: ${(error as Error).message}: may the caller map these ids?`);
  }
}

function runTool(tool: string, pid: number, extents: readonly IdExtent[]): void {
  const { error, status, stderr } = spawnSync(tool, [String(pid), ...mapArguments(extents)], { encoding: 'utf8' });
  if (error !== undefined) throw new RuntimeError(`cannot run ${tool}: ${error.message} (Debian: package uidmap)`);
  if (status !== 0) throw new RuntimeError(`cannot map ids: ${stderr.trim()}`);
}
