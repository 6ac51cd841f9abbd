import { CAPABILITY_NAMES } from '../../oci/capabilities.ts';
import {
  HOOK_KINDS,
  NAMESPACE_TYPES,
  SECCOMP_ACTIONS,
  SECCOMP_FLAGS,
  SECCOMP_OPERATORS,
} from '../../oci/runtime-spec.ts';
import { MOUNT_WORDS } from '../../runtime/mount-options.ts';
import { runtimeCommand } from '../command.ts';
import { print } from '../print.ts';

/** The features structure of the runtime spec: features.md. */
export const features = runtimeCommand({
  usage: 'features',
  flags: {},
  args: [0, 0],
  run() {
    print(
      JSON.stringify(
        {
          ociVersionMin: '1.0.0',
          ociVersionMax: '1.2.0',
          hooks: HOOK_KINDS,
          mountOptions: [...MOUNT_WORDS, 'bind', 'rbind', 'tmpcopyup'].toSorted(),
          linux: {
            namespaces: NAMESPACE_TYPES,
            capabilities: CAPABILITY_NAMES,
            cgroup: { v1: true, v2: true, systemd: true, systemdUser: true, rdma: true },
            seccomp: {
              enabled: true,
              actions: SECCOMP_ACTIONS.filter((action) => action !== 'SCMP_ACT_NOTIFY'),
              operators: SECCOMP_OPERATORS,
              archs:
                process.arch === 'arm64'
                  ? ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']
                  : ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
              knownFlags: SECCOMP_FLAGS,
              supportedFlags: SECCOMP_FLAGS,
            },
            apparmor: { enabled: true },
            selinux: { enabled: true },
            intelRdt: { enabled: false },
            mountExtensions: { idmap: { enabled: false } },
          },
          annotations: {},
        },
        undefined,
        2,
      ),
    );
    return 0;
  },
});
