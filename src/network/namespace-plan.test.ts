import { expect, test } from 'vitest';
import { LaunchPlan } from '../monitor/plan.ts';
import { openConfigurationSocket, openUpPortsAndPing, raiseLoopback, setNetworkSysctl } from './namespace-plan.ts';

test('a sysctl that is not there stops nothing', () => {
  const plan = new LaunchPlan();
  setNetworkSysctl(plan, 'core/x', '1');
  expect(plan.describe().every((operation) => operation.endsWith('or go on'))).toBe(true);
});

test('the range of groups that may ping ends at the last mapped one', () => {
  const plan = new LaunchPlan();
  openUpPortsAndPing(plan, 65537);
  expect(plan.describe().join('\n')).toContain('"0 65536"');
});

test('loopback and the socket are not optional', () => {
  const plan = new LaunchPlan();
  raiseLoopback(plan);
  openConfigurationSocket(plan);
  const operations = plan.describe();
  expect(operations.some((operation) => operation.endsWith('or go on'))).toBe(false);
  expect(operations.map((operation) => operation.trim().replace(/^\d+ (\w+).*/, '$1'))).toEqual([
    'socket',
    'ioctl',
    'close',
    'socket',
    'dup3',
    'close',
  ]);
  // dup3 gives the socket its number, close-on-exec (O_CLOEXEC), so that the container's program never has it.
  expect(operations[4]).toContain('(r3, 100, 0x80000)');
});
