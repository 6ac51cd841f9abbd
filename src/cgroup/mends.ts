import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';

/** What is missing, and the administrator's one-line fix. */
export interface Obstacle {
  reason: string;
  mend: string;
}

export function version1(reason: string): Obstacle {
  return {
    reason,
    mend: "add systemd.unified_cgroup_hierarchy=1 to the kernel's command line, for version 2, and reboot",
  };
}

export function missingControllers(missing: readonly string[], uid: number): Obstacle {
  const plural = missing.length > 1;
  return {
    reason: `the cgroup controller${plural ? 's' : ''} ${missing.join(', ')} ${plural ? 'are' : 'is'} not delegated to you`,
    mend:
      'sudo mkdir -p /etc/systemd/system/user@.service.d && ' +
      String.raw`printf '[Service]\nDelegate=cpu cpuset io memory pids\n' | ` +
      'sudo tee /etc/systemd/system/user@.service.d/delegate.conf && ' +
      `sudo systemctl daemon-reload && sudo systemctl restart user@${uid}`,
  };
}

/** The controller is there, and its file is not. */
export function missingFile(name: string): Obstacle {
  return {
    reason: `this kernel has no ${name}`,
    mend: 'boot a kernel that has it (block weights: CONFIG_BFQ_GROUP_IOSCHED or CONFIG_BLK_CGROUP_IOCOST)',
  };
}

/** `tried` says how reaching the user's systemd failed; empty where there was nothing to try. */
export function noDelegation(uid: number, tried: string): Obstacle {
  if (!existsSync('/run/systemd/system')) {
    const user = userName(uid);
    return {
      reason:
        'no part of the cgroup tree is writable for you, and this host does not run systemd, which could make one',
      mend:
        `sudo mkdir /sys/fs/cgroup/${user} && ` +
        `sudo chown ${user} /sys/fs/cgroup/${user} /sys/fs/cgroup/${user}/cgroup.procs ` +
        `/sys/fs/cgroup/${user}/cgroup.subtree_control, and move your login shell into it`,
    };
  }
  return {
    reason:
      tried === ''
        ? `no systemd runs for you that could make a cgroup (no socket in /run/user/${uid})`
        : `your systemd does not make a cgroup for us (${tried})`,
    mend: `sudo loginctl enable-linger ${userName(uid)}, then log in again`,
  };
}

/** `path` was delegated to us, but its controllers cannot be handed on while processes are in it. */
export function othersInTheWay(path: string): Obstacle {
  return {
    reason: `the cgroup ${path} is yours to divide, but other processes live in it`,
    mend: 'move them to a cgroup below it, then run trun again',
  };
}

function userName(uid: number): string {
  try {
    return userInfo().username;
  } catch {
    return String(uid);
  }
}
