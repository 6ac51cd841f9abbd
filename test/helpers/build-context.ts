import { chmodSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Files by path: text, `{ link }`, or `{ mode, text }`. */
export type ContextFiles = Readonly<
  Record<string, string | { readonly link: string } | { readonly mode: number; readonly text: string }>
>;

/** Makes a folder with these files below `parent` and returns its path. */
export function makeContext(parent: string, files: ContextFiles): string {
  const folder = mkdtempSync(join(parent, 'context-'));
  for (const [name, file] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    if (typeof file === 'string') writeFileSync(path, file);
    else if ('link' in file) symlinkSync(file.link, path);
    else {
      writeFileSync(path, file.text);
      chmodSync(path, file.mode);
    }
  }
  return folder;
}
