import type { ContainerRequest } from '../../engine/container.ts';
import { isCdiName, parseDevice } from '../../oci/options/device.ts';
import { parseLabel } from '../../oci/options/label.ts';
import { parseIpc, parsePid, parseUserns, parseUts } from '../../oci/options/namespaces.ts';
import { decodeFlag } from '../flags/parse-flags.ts';
import { CONTAINER_FLAGS } from './container-flags.ts';
import type { ContainerFlags } from './container-request.ts';

type Isolation = Pick<
  ContainerRequest,
  'ipc' | 'pid' | 'uts' | 'userns' | 'devices' | 'cdi' | 'keepGroups' | 'annotations' | 'volumesFrom'
>;

/** What a container shares with the host and with others, as far as flags say something of it. Throws UsageError. */
export function isolationOptions(flags: ContainerFlags): Isolation {
  const cdi = [...flags.device.filter(isCdiName), ...gpuNames(flags.gpus)];
  const devices = flags.device.filter((text) => !isCdiName(text)).map((text) => read('device', text, parseDevice));
  return {
    ...(flags.ipc === undefined ? {} : { ipc: read('ipc', flags.ipc, parseIpc) }),
    ...(flags.pid === undefined ? {} : { pid: read('pid', flags.pid, parsePid) }),
    ...(flags.uts === undefined ? {} : { uts: read('uts', flags.uts, parseUts) }),
    ...(flags.userns === undefined ? {} : { userns: read('userns', flags.userns, parseUserns) }),
    ...(devices.length === 0 ? {} : { devices }),
    ...(cdi.length === 0 ? {} : { cdi }),
    ...(flags['group-add'].includes('keep-groups') ? { keepGroups: true } : {}),
    ...(flags.annotation.length === 0 ? {} : { annotations: Object.fromEntries(flags.annotation.map(parseLabel)) }),
    ...(flags['volumes-from'].length === 0 ? {} : { volumesFrom: flags['volumes-from'] }),
  };
}

function read<R>(name: 'device' | 'ipc' | 'pid' | 'uts' | 'userns', text: string, parse: (text: string) => R): R {
  return decodeFlag(CONTAINER_FLAGS, name, text, parse);
}

/** `all`, `device=0,1` or names of CDI; counts cannot be told apart by rights that we do not have. */
function gpuNames(text: string | undefined): string[] {
  if (text === undefined) return [];
  if (isCdiName(text)) return [text];
  const list = text.replace(/^"|"$/g, '').replace(/^device=/, '');
  return list.split(',').map((name) => `nvidia.com/gpu=${name}`);
}
