/** Enters a delegated subtree, gives a container 32 MB there, and prints what came of it. */
import { readFileSync } from 'node:fs';
import { enterDelegatedScope } from '../../../src/cgroup/enter-delegated-scope.ts';

const limits = { memory: 32 * 2 ** 20 };
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
