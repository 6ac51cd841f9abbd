import { type SystemInfo, systemInfo } from '../../engine/info.ts';
import { defineCommand } from '../command.ts';
import { formatBinarySize } from '../output/size.ts';
import { compileTemplate } from '../output/template/execute.ts';
import { OBJECT_FORMAT_HELP } from '../output/row-format.ts';

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Display system-wide information',
  flags: { format: { kind: 'text', short: 'f', help: OBJECT_FORMAT_HELP } },
  args: [0, 0],
  async run(context, { format }) {
    const info = await systemInfo(context.paths());
    if (format === undefined) context.printLines(infoLines(info));
    else context.print(format === 'json' ? JSON.stringify(info) : compileTemplate(format)({ ...info }));
    if (format === undefined) for (const warning of info.Warnings) context.stderr.write(`WARNING: ${warning}\n`);
    return 0;
  },
});

function infoLines(info: SystemInfo): string[] {
  const limits = { memory: info.MemoryLimit, cpus: info.CpuCfsQuota, pids: info.PidsLimit };
  const available = Object.entries(limits).flatMap(([name, has]) => (has ? [name] : []));
  return [
    `Containers: ${info.Containers}`,
    ` Running: ${info.ContainersRunning}`,
    ` Paused: ${info.ContainersPaused}`,
    ` Stopped: ${info.ContainersStopped}`,
    `Images: ${info.Images}`,
    `Volumes: ${info.Volumes}`,
    `Version: ${info.ServerVersion}`,
    `Limits: ${available.length === 0 ? 'none' : available.join(', ')}`,
    `Cgroup Version: ${info.CgroupVersion === '' ? 'none that is ours' : info.CgroupVersion}`,
    `User Ids: ${info.IdMap}`,
    `Security Options:`,
    ...info.SecurityOptions.map((option) => ` ${option.replace(/^name=/, '').replace(',', ', ')}`),
    `Kernel Version: ${info.KernelVersion}`,
    `Operating System: ${info.OperatingSystem}`,
    `OSType: ${info.OSType}`,
    `Architecture: ${info.Architecture}`,
    `CPUs: ${info.NCPU}`,
    `Total Memory: ${formatBinarySize(info.MemTotal)}`,
    `Name: ${info.Name}`,
    'File Servers:',
    ...Object.entries(info.FileServers).map(([name, server]) => ` ${name}: ${describeServer(server)}`),
    `Root Dir: ${info.DockerRootDir}`,
    `Run Dir: ${info.RunDir}`,
  ];
}

/** As `2 mounts, 1043 requests, half within 16 us, 99% within 256 us`. */
function describeServer(server: SystemInfo['FileServers'][string]): string {
  const { Mounts: mounts, Requests: requests, MedianMicroseconds: median, P99Microseconds: most } = server;
  const begun = `${mounts} ${mounts === 1 ? 'mount' : 'mounts'}, ${requests} requests`;
  return requests === 0 ? begun : `${begun}, half within ${median} us, 99% within ${most} us`;
}
