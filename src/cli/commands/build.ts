import { writeFileSync } from 'node:fs';
import { build, BuildFailure, checkOnly, type BuildEnvironment, type BuildResult } from '../../build/build.ts';
import type { Warning } from '../../build/checks/check-dockerfile.ts';
import { excerpt } from '../../build/display/excerpt.ts';
import { Progress } from '../../build/display/progress.ts';
import { openImageStore } from '../../image/image-store.ts';
import { BUILD_FLAGS } from '../build/build-flags.ts';
import { buildRequest, outputPath } from '../build/build-request.ts';
import { openDisplay } from '../build/open-display.ts';
import { defineCommand, type CommandContext } from '../command.ts';
import { messageOf } from '../report-error.ts';

/** Exit status of a build that was interrupted, as the shell counts SIGINT. */
const INTERRUPTED = 130;

export const command = defineCommand({
  usage: '[OPTIONS] PATH | URL | -',
  summary: 'Build an image from a Dockerfile',
  flags: BUILD_FLAGS,
  args: [1, 1],
  async run(context, flags, [where]) {
    const request = buildRequest(flags, where!, context);
    const progress = new Progress(openDisplay(flags.quiet ? 'quiet' : flags.progress, context));
    const stop = new AbortController();
    const environment: BuildEnvironment = {
      paths: context.paths(),
      store: openImageStore(context.paths().images, { env: context.env }),
      progress,
      cwd: context.cwd,
      stdin: context.stdin,
      stdout: context.stdout,
      env: context.env,
      signal: stop.signal,
    };
    function interrupt(): void {
      stop.abort();
    }
    process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
    try {
      if (flags.check) return await check(context, request, environment);
      const result = await build(request, environment);
      progress.end();
      writeResults(context, result, flags);
      tellWarnings(context, result.warnings, flags.quiet);
      if (flags.quiet && result.image !== undefined) context.print(result.image.id);
      return 0;
    } catch (error) {
      progress.end();
      if (stop.signal.aborted) {
        context.stderr.write('ERROR: failed to build: canceled\n');
        return INTERRUPTED;
      }
      tellFailure(context, progress, error);
      return 1;
    } finally {
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    }
  },
});

async function check(
  context: CommandContext,
  request: Parameters<typeof checkOnly>[0],
  environment: BuildEnvironment,
): Promise<number> {
  const { warnings, lines, name, fails } = await checkOnly(request, environment);
  environment.progress.end();
  if (warnings.length === 0) {
    context.print('Check complete, no warnings found.');
    return 0;
  }
  context.print(`Check complete, ${count(warnings)} found!`);
  for (const { rule, message, line } of warnings) {
    context.print(`\nWARNING: ${rule} - https://docs.docker.com/go/dockerfile/rule/${dashed(rule)}/\n${message}`);
    context.printLines(excerpt(name, lines, { line, column: 1 }, line));
  }
  return fails ? 1 : 0;
}

function writeResults(
  context: CommandContext,
  { image, names }: BuildResult,
  flags: { readonly iidfile: string | undefined; readonly 'metadata-file': string | undefined },
): void {
  const iidFile = outputPath(flags.iidfile, context);
  if (iidFile !== undefined && image !== undefined) writeFileSync(iidFile, image.id);
  const metadata = outputPath(flags['metadata-file'], context);
  if (metadata === undefined) return;
  const document = {
    ...(image === undefined
      ? {}
      : {
          'containerimage.config.digest': image.id,
          'containerimage.descriptor': image.manifest,
          'containerimage.digest': image.manifest.digest,
        }),
    ...(names.length === 0 ? {} : { 'image.name': names.join(',') }),
  };
  writeFileSync(metadata, `${JSON.stringify(document, undefined, 2)}\n`);
}

function tellWarnings(context: CommandContext, warnings: readonly Warning[], quiet: boolean): void {
  if (quiet || warnings.length === 0) return;
  const lines = warnings.map(({ rule, message, line }) => ` - ${rule}: ${message} (line ${line})`);
  context.stderr.write(`\n ${count(warnings)} found (use --check to expand):\n${lines.join('\n')}\n`);
}

/** The failing step's last lines, the place in the Dockerfile, and what went wrong: in this order, the reason last. */
function tellFailure(context: CommandContext, { failed }: Progress, error: unknown): void {
  const { stderr } = context;
  if (failed !== undefined && failed.lines.length > 0) {
    stderr.write(`------\n > ${failed.name}:\n${failed.lines.join('\n')}\n------\n`);
  }
  if (error instanceof BuildFailure) {
    const { position, endLine } = error.error;
    stderr.write(`${excerpt(error.dockerfileName, error.lines, position, endLine).join('\n')}\n`);
  }
  stderr.write(`ERROR: failed to build: failed to solve: ${messageOf(error)}\n`);
  if (context.env['TRUN_DEBUG']) stderr.write(`${(error as Error).stack ?? ''}\n`);
}

function count({ length }: readonly Warning[]): string {
  return `${length} warning${length === 1 ? '' : 's'}`;
}

/** `JSONArgsRecommended` -> `json-args-recommended` */
function dashed(rule: string): string {
  return rule.replace(/(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '-').toLowerCase();
}
