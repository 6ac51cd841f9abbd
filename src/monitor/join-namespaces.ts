import { CLONE } from '../sys/linux-constants.ts';
import type { LaunchPlan } from './plan.ts';

/**
 * Joins namespaces of the holder, or of a process that lives in them, by one setns(2) on its pidfd: its user namespace
 * and those that `others` (CLONE_NEW* flags) name besides.
 */
export function joinNamespaces(plan: LaunchPlan, pid: number, others: number): void {
  const found = plan.call('pidfd_open', [pid, 0], 'find the holder process');
  plan.call('setns', [found, CLONE.NEWUSER | others], "join the holder's namespaces");
  plan.call('close', [found], 'close the pidfd');
}
