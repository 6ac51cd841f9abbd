/**
 * Debian's Slurm with trun-oci by the oci.conf that examples/slurm ships, and with plain trun: two slurmd nodes on this
 * machine, jobs of an ordinary user.
 *
 * Runs as: root
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { output, type Result, run } from '../helpers/command.ts';
import { makeRootfs, ociLauncher } from '../helpers/oci-bundle.ts';
import { repository } from '../helpers/paths.ts';
import { unmet } from '../helpers/requirements.ts';
import { waitFor } from '../helpers/wait-for.ts';

const user = 'trun-test';
const reason =
  (await unmet(['root', 'busybox', 'slurm'])) ??
  ((await run('id', [user])).status === 0 ? undefined : `there is no user ${user}`);
let folder: string;

beforeEach(({ skip }) => skip(reason !== undefined, reason));

beforeAll(async () => {
  if (reason !== undefined) return;
  folder = mkdtempSync('/tmp/trun-slurm-');
  await chmod(folder, 0o755);
  const host = hostname().split('.')[0]!;
  writeFileSync(join(folder, 'munge.key'), randomBytes(32), { mode: 0o600 });
  await output('/usr/sbin/munged', [
    '--force',
    ...['--key-file', join(folder, 'munge.key'), '--socket', join(folder, 'munge.sock')],
    ...['--pid-file', join(folder, 'munge.pid'), '--seed-file', join(folder, 'munge.seed')],
    ...['--log-file', join(folder, 'munge.log')],
  ]);
  writeFileSync(
    join(folder, 'slurm.conf'),
    `ClusterName=trun
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=${folder}/munge.sock
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool-%n
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd-%n.pid
SlurmctldLogFile=${folder}/slurmctld.log
SlurmdLogFile=${folder}/slurmd-%n.log
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname=${host} NodeAddr=127.0.0.1 Port=16818 CPUs=2
NodeName=n2 NodeHostname=${host} NodeAddr=127.0.0.1 Port=16819 CPUs=2
PartitionName=all Nodes=ALL Default=YES State=UP
`,
  );
  copyFileSync(join(repository, 'examples/slurm/oci.conf'), join(folder, 'oci.conf'));
  await mkdir(join(folder, 'state'));
  await slurm('slurmctld', ['-i']);
  for (const node of ['n1', 'n2']) await slurm('slurmd', ['-N', node]);
  await waitFor(
    'the nodes to be idle',
    async () => (await slurm('sinfo', ['-h', '-N', '-o', '%t'])).stdout === 'idle\nidle\n',
    { timeout: 30_000 },
  );

  makeRootfs(join(folder, 'home/bundle/rootfs'));
  await output('chown', ['-R', user, join(folder, 'home')]);
  await asUser(`${ociLauncher} spec --rootless --bundle ${folder}/home/bundle`);
  const config = join(folder, 'home/bundle/config.json');
  writeFileSync(config, readFileSync(config, 'utf8').replace('"terminal": true', '"terminal": false'));
}, 60_000);

afterAll(async () => {
  if (reason !== undefined) return;
  for (const name of ['slurmctld', 'slurmd-n1', 'slurmd-n2', 'munge']) {
    process.kill(Number(readFileSync(join(folder, `${name}.pid`), 'utf8')), 'SIGTERM');
  }
  await asUser(`${repository}/bin/trun rm -af; rm -rf /tmp/trun-oci-${user}`);
  rmSync(folder, { recursive: true, force: true });
});

const path = `${repository}/bin:${process.env['PATH']}:/usr/sbin:/usr/bin:/sbin:/bin`;

function slurm(program: string, args: readonly string[]): Promise<Result> {
  return run(program, args, { env: { PATH: path, SLURM_CONF: join(folder, 'slurm.conf') } });
}

function asUser(script: string): Promise<Result> {
  const env = `PATH=${path} SLURM_CONF=${folder}/slurm.conf HOME=${folder}/home TRUN_ROOT=${folder}/home/trun`;
  return run('su', [user, '-s', '/bin/sh', '-c', `cd ${folder}/home && export ${env} && ${script}`]);
}

test('srun --container: output and exit status', async () => {
  const { status, stdout } = await asUser(
    `srun --container=${folder}/home/bundle sh -c 'echo out of $(hostname); exit 3'`,
  );
  expect({ status, stdout }).toEqual({ status: 3, stdout: 'out of trun\n' });
});

test('on both nodes at once', async () => {
  const { status, stdout, stderr } = await asUser(`srun -N2 --container=${folder}/home/bundle id -u`);
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '0\n0\n', stderr: '' });
});

test('plain srun trun run, on both nodes', async () => {
  const { status, stdout } = await asUser(`srun -N2 trun run --rm --rootfs ${folder}/home/bundle/rootfs echo plain`);
  expect({ status, stdout }).toEqual({ status: 0, stdout: 'plain\nplain\n' });
});
