import { ensureHolder, takeHolderFd } from '../holder/holder.ts';
import { HOLDER_FD } from '../holder/holder-plan.ts';
import { nestedMap } from '../base/id-extents.ts';
import type { StatePaths } from '../state/paths.ts';
import { testDriver } from './testing/driver-suite.ts';
import { TestHost, type TestHolder } from './testing/test-host.ts';

export async function startHolder(paths: StatePaths): Promise<TestHolder> {
  const holder = await ensureHolder(paths);
  const { pid, startTime } = holder.process;
  return {
    hub: { id: `${pid}-${startTime}`, pid, take: (what) => takeHolderFd(holder, HOLDER_FD[what]) },
    parent: { holderPid: pid, uidMap: nestedMap(holder.map.uid), gidMap: nestedMap(holder.map.gid) },
    groups: holder.map.gid.reduce((sum, { count }) => sum + count, 0),
  };
}

function createHost(): Promise<TestHost> {
  return TestHost.create(startHolder);
}

testDriver('none', { namespace: 'private', addresses: false }, createHost);
testDriver('host', { namespace: 'host', addresses: false }, createHost);
testDriver('bridge', { namespace: 'private', addresses: true }, createHost);
