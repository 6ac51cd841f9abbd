import type { Seccomp, SeccompFlag, SeccompSyscall } from '../runtime-spec.ts';
import type { SeccompArch } from './number-table.ts';
import type { RuleFilter, SeccompProfile } from './profile.ts';

/** What decides which rules of a profile count for a container. */
export interface SeccompTarget {
  arch: 'x64' | 'arm64';
  /** The container's capabilities (its bounding set), as `CAP_CHOWN`. */
  capabilities: readonly string[];
  /** The kernel's release, as uname(2) gives it. */
  kernel: string;
}

/** Node's name of an architecture -> Go's, which profiles use, and the runtime spec's. */
const ARCHES = {
  x64: { go: 'amd64', native: 'SCMP_ARCH_X86_64' },
  arm64: { go: 'arm64', native: 'SCMP_ARCH_AARCH64' },
} as const satisfies Record<SeccompTarget['arch'], { go: string; native: SeccompArch }>;

/** The runtime spec's seccomp section for one container: the rules of `profile` whose conditions hold on `target`. */
export function selectRules(profile: SeccompProfile, target: SeccompTarget): Seccomp {
  const { go, native } = ARCHES[target.arch];
  const family = profile.archMap?.find(({ architecture }) => architecture === native);
  const syscalls: SeccompSyscall[] = [];
  for (const { includes, excludes, ...rule } of profile.syscalls) {
    if (included(includes, go, target) && !excluded(excludes, go, target)) syscalls.push(rule);
  }
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    flags: profile.flags ?? defaultFlags(target.kernel),
    architectures: [...new Set([native, ...(family?.subArchitectures ?? profile.architectures ?? [])])],
    syscalls,
  };
}

/** Without it, kernels before 5.16 turn speculative store bypass off for whatever runs under a filter: slow. */
function defaultFlags(kernel: string): SeccompFlag[] {
  return atLeast(kernel, '4.17') ? ['SECCOMP_FILTER_FLAG_SPEC_ALLOW'] : [];
}

function included(filter: RuleFilter | undefined, arch: string, { capabilities, kernel }: SeccompTarget): boolean {
  if (filter === undefined) return true;
  const { arches = [], caps = [], minKernel } = filter;
  return (
    (arches.length === 0 || arches.includes(arch)) &&
    caps.every((name) => capabilities.includes(name)) &&
    (minKernel === undefined || atLeast(kernel, minKernel))
  );
}

function excluded(filter: RuleFilter | undefined, arch: string, { capabilities, kernel }: SeccompTarget): boolean {
  if (filter === undefined) return false;
  const { arches = [], caps = [], minKernel } = filter;
  return (
    arches.includes(arch) ||
    caps.some((name) => capabilities.includes(name)) ||
    (minKernel !== undefined && atLeast(kernel, minKernel))
  );
}

function atLeast(release: string, minimum: string): boolean {
  const [major = 0, minor = 0] = release.split(/[.-]/).map((part) => Number.parseInt(part, 10));
  const [minMajor = 0, minMinor = 0] = minimum.split('.').map(Number);
  return major > minMajor || (major === minMajor && minor >= minMinor);
}
