/** `pack.ts SOURCE OUT`: packs a directory into an image tree. */
import { packDirectory } from './pack-directory.ts';

const [source, out] = process.argv.slice(2);
if (source === undefined || out === undefined) throw new Error('usage: pack.ts SOURCE OUT');
packDirectory(source, out);
