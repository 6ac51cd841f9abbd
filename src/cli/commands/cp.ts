import { resolve } from 'node:path';
import { findContainer } from '../../engine/container.ts';
import { archiveFromContainer, archiveToContainer, copyFromContainer, copyToContainer } from '../../engine/copy.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { defineCommand } from '../command.ts';

/** One side of a copy. */
interface Place {
  /** Absent: the host. */
  readonly container?: string;
  readonly path: string;
}

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n[OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH',
  summary: 'Copy files/folders between a container and the local filesystem',
  details:
    "Use '-' as the source to read a tar archive from stdin\n" +
    'and extract it to a directory destination in a container.\n' +
    "Use '-' as the destination to stream a tar archive of a\n" +
    'container source to stdout.',
  flags: {
    archive: { kind: 'boolean', short: 'a', help: 'Archive mode (copy all uid/gid information)' },
    'follow-link': { kind: 'boolean', short: 'L', help: 'Always follow symbol link in SRC_PATH' },
    quiet: { kind: 'boolean', short: 'q', help: 'Suppress progress output during copy (there is none)' },
  },
  args: [2, 2],
  async run(context, { archive, 'follow-link': followLink }, [source, target]) {
    const [from, to] = [parsePlace(source!), parsePlace(target!)];
    const options = { archive, followLink };
    const paths = context.paths();
    if (from.container !== undefined && to.container !== undefined) {
      throw new InvalidInput('copying between containers is not supported');
    }
    if (from.container !== undefined) {
      const container = findContainer(paths, from.container);
      if (to.path === '-') await archiveFromContainer(paths, container, from.path, context.stdout, options);
      else await copyFromContainer(paths, container, from.path, hostPath(to.path, context.cwd), options);
    } else if (to.container !== undefined) {
      const container = findContainer(paths, to.container);
      if (from.path === '-') await archiveToContainer(paths, container, context.stdin, to.path, options);
      else await copyToContainer(paths, container, hostPath(from.path, context.cwd), to.path, options);
    } else {
      throw new InvalidInput('must specify at least one container source');
    }
    return 0;
  },
});

/** `CONTAINER:PATH`; a path with a colon in it is told apart by its beginning, `/` or `.`. */
function parsePlace(text: string): Place {
  const colon = text.indexOf(':');
  if (text === '-' || colon < 1 || /^[./]/.test(text)) {
    if (text === '') throw new InvalidInput('a path may not be empty');
    return { path: text };
  }
  const path = text.slice(colon + 1);
  if (path === '') throw new InvalidInput(`the path in ${text} is empty`);
  return { container: text.slice(0, colon), path };
}

/** Absolute, with the `/` or `/.` at its end that Docker's rules look for. */
function hostPath(path: string, cwd: string): string {
  const end = /\/\.?$/.exec(path)?.[0] ?? (path === '.' ? '/.' : '');
  const absolute = resolve(cwd, path);
  return absolute === '/' ? `/${end.slice(1)}` : absolute + end;
}
