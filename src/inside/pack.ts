import { basename, dirname } from 'node:path';
import { create } from 'tar';

/** A tar archive of a file or folder, whose topmost entry gets `name`, whatever it is called where it lies. */
export function packAs(path: string, name: string, follow: boolean): NodeJS.ReadableStream {
  const top = path === '/' ? '.' : basename(path);
  return create(
    {
      cwd: dirname(path),
      follow,
      onWriteEntry(entry) {
        const below = entry.path === top || entry.path === `${top}/` ? '' : entry.path.slice(top.length + 1);
        entry.path = below === '' ? name : `${name}/${below}`;
      },
    },
    [top],
  ) as unknown as NodeJS.ReadableStream;
}
