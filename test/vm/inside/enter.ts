/** Enters a delegated subtree, limits a container as the argument says (JSON), and prints what came of it. */
import { readFileSync } from 'node:fs';
import { enterDelegatedScope, limitsSupport } from '../../../src/cgroup/enter-delegated-scope.ts';
import type { CgroupLimits } from '../../../src/cgroup/limit-files.ts';

const limits = JSON.parse(process.argv[2] ?? '{}') as CgroupLimits;
const { reason } = await limitsSupport();
if (reason !== '') console.log(reason);
try {
  const subtree = await enterDelegatedScope(limits);
  const cgroup = subtree.createContainerCgroup('one', limits);
  console.log(
    subtree.path.replace(/.*\//, ''),
    readFileSync('/proc/self/cgroup', 'utf8')
      .trim()
      .replace(/.*\.scope/, ''),
  );
  console.log(readFileSync(`${cgroup.path}/memory.max`, 'utf8').trim());
  await cgroup.remove();
} catch (error) {
  console.log(error instanceof Error ? error.message : error);
}
