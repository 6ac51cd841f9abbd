/**
 * `read-forever.ts DIRECTORY`: reads every file below the directory again and again, each time from the server (it drops them
 * from the page cache), until standard input ends. Each file must hold its own path, repeated; prints how many were read.
 */
import { closeSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { dropCached } from '../../src/sys/io.ts';

const [root] = process.argv.slice(2);
const paths = readdirSync(root!, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(root!.length + 1));

let read = 0;
let ended = false;
process.stdin
  .once('end', () => {
    ended = true;
  })
  .resume();

/** By a function: the compiler cannot know that the listener changes it. */
function isEnded(): boolean {
  return ended;
}

while (!isEnded()) {
  for (const path of paths) {
    if (isEnded()) break;
    const fd = openSync(join(root!, path), 'r');
    const text = readFileSync(fd, 'latin1');
    if (text.length === 0 || text.replaceAll(`${path} `, '') !== '') throw new Error(`${path} holds something else`);
    dropCached(fd);
    closeSync(fd);
    read++;
    if (read % 16 === 0) await new Promise(setImmediate);
  }
}
process.stdout.write(`${read}\n`);
