/** The command line: `trun …`. */
import { runProgram } from './cli/program.ts';
import { ProcessSurroundings } from './cli/surroundings.ts';

const surroundings = new ProcessSurroundings();

void runProgram(process.argv.slice(2), surroundings).then(async (status) => {
  await surroundings.flush();
  // A socket or a terminal that is still open does not hold us.
  process.exit(status);
});
