import { InvalidInput } from '../invalid-input.ts';

export interface SecurityOptions {
  /** `default` is the built-in profile, anything else that is not `unconfined` a file to read. */
  seccomp: 'default' | 'unconfined' | { file: string };
  noNewPrivileges: boolean;
  /** Show what is masked or read-only in /proc and /sys otherwise. */
  systemPathsUnconfined: boolean;
  /** Paths to hide besides, and those of Docker's list not to; `ALL` for all of it. */
  mask: readonly string[];
  unmask: readonly string[];
}

/** Reads all `--security-opt` values; labels of AppArmor and SELinux take an administrator: only turning them off passes. */
export function parseSecurityOptions(values: readonly string[]): SecurityOptions {
  const options: SecurityOptions = {
    seccomp: 'default',
    noNewPrivileges: false,
    systemPathsUnconfined: false,
    mask: [],
    unmask: [],
  };
  for (const text of values) {
    const [, key = text, value] = /^([^=:]+)[=:](.*)$/s.exec(text) ?? [];
    if (key === 'no-new-privileges' && (value === undefined || value === 'true' || value === 'false')) {
      options.noNewPrivileges = value !== 'false';
    } else if (key === 'seccomp' && value !== undefined && value !== '') {
      options.seccomp = value === 'unconfined' ? value : value === 'builtin' ? 'default' : { file: value };
    } else if (key === 'systempaths' && value === 'unconfined') {
      options.systemPathsUnconfined = true;
    } else if (key === 'mask' && value !== undefined) {
      options.mask = [...options.mask, ...parsePaths(text, value)];
    } else if (key === 'unmask' && value !== undefined) {
      options.unmask = [...options.unmask, ...(value === 'ALL' ? [value] : parsePaths(text, value))];
    } else if ((key === 'apparmor' && value === 'unconfined') || (key === 'label' && value === 'disable')) {
      continue;
    } else if (key === 'apparmor' || key === 'label') {
      throw new InvalidInput(`--security-opt ${text} is not supported: loading security labels takes root`);
    } else {
      throw new InvalidInput(`invalid --security-opt: "${text}"`);
    }
  }
  return options;
}

/** Absolute paths parted by colons. */
function parsePaths(text: string, value: string): string[] {
  const paths = value.split(':');
  if (paths.some((path) => !path.startsWith('/') || path.split('/').includes('..'))) {
    throw new InvalidInput(`invalid --security-opt: "${text}": paths have to be absolute`);
  }
  return paths;
}
