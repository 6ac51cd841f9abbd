/** The command line: `trun …`. */
import { runProgram } from './cli/program.ts';
import { processSurroundings } from './cli/surroundings.ts';

// A reader that has gone (`trun logs … | head`) ends us quietly, as SIGPIPE ends others.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 141 : 125);
  });
}

void runProgram(process.argv.slice(2), processSurroundings).then((status) => {
  // What is still on its way to a slow reader goes out first; a socket or a terminal that is still open does not hold us.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(status)));
});
