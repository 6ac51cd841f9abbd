/** Hooks of the runtime spec: config.md, "POSIX-platform Hooks". */
import { spawnSync } from 'node:child_process';
import { closeSync, readFileSync, writeSync } from 'node:fs';
import { errorCode } from '../../base/error-code.ts';
import { LaunchError } from '../../monitor/record.ts';
import { spawnPlan } from '../../monitor/spawn-plan.ts';
import type { Hook, HookKind, Hooks } from '../../oci/runtime-spec.ts';
import { hookPlan } from '../../runtime/bundle-exec-plan.ts';
import { memfd } from '../../sys/memfd.ts';
import { makePipe } from '../../sys/pipe.ts';
import { setReceiveTimeout } from '../../sys/socket-timeout.ts';
import { RuntimeError } from '../runtime-error.ts';

/** The container's state as hooks get it on stdin. */
export interface HookState {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: 'creating' | 'created' | 'running' | 'stopped';
  readonly pid: number;
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Runs those of the runtime's own namespaces. Throws where one fails. */
export function runHooks(hooks: Hooks, kind: HookKind, state: HookState): void {
  for (const [i, hook] of (hooks[kind] ?? []).entries()) runHook(hook, `${kind} hook #${i}`, state);
}

/** The same, where a failure is no reason to stop: returns what went wrong. */
export function tryHooks(hooks: Hooks, kind: HookKind, state: HookState): string[] {
  return (hooks[kind] ?? []).flatMap((hook, i) => {
    try {
      runHook(hook, `${kind} hook #${i}`, state);
      return [];
    } catch (error) {
      return [(error as Error).message];
    }
  });
}

function runHook({ path, args, env, timeout }: Hook, name: string, state: HookState): void {
  const [argv0 = path, ...rest] = args ?? [];
  const { status, signal, error, stdout, stderr } = spawnSync(path, rest, {
    argv0,
    // As runc: a hook without an environment of its own has the runtime's.
    ...(env === undefined ? {} : { env: environment(env) }),
    input: JSON.stringify(state),
    encoding: 'utf8',
    killSignal: 'SIGKILL',
    ...(timeout === undefined ? {} : { timeout: timeout * 1000 }),
  });
  if (errorCode(error) === 'ETIMEDOUT')
    throw new RuntimeError(`error running ${name}: hook ran past specified timeout of ${timeout}s`);
  // One that does not read its stdin is none the worse.
  if (error !== undefined && errorCode(error) !== 'EPIPE')
    throw new RuntimeError(`error running ${name}: ${error.message}`);
  if (status === 0) return;
  const end = signal === null ? `exit status ${status}` : `signal: ${signal}`;
  throw new RuntimeError(`error running ${name}: ${end}, stdout: ${stdout.trim()}, stderr: ${stderr.trim()}`);
}

function environment(entries: readonly string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(
    entries.map((entry) => {
      const equals = entry.indexOf('=');
      return equals === -1 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}

/** Runs those of the container's namespaces, one after the other. Throws where one fails. */
export function runHooksInside(hooks: Hooks, kind: HookKind, state: HookState, namespaces: number): void {
  for (const [i, hook] of (hooks[kind] ?? []).entries()) {
    runHookInside(hook, `${kind} hook #${i}`, state, namespaces);
  }
}

function runHookInside(hook: Hook, name: string, state: HookState, namespaces: number): void {
  const plan = hookPlan({ pid: state.pid, namespaces, foreground: true }, hook);
  const output = memfd('hook-output');
  const [input, feed] = makePipe();
  writeSync(feed, JSON.stringify(state));
  closeSync(feed);
  const program = spawnPlan(plan, [
    [input, 0],
    [output, 1],
    [output, 2],
  ]);
  closeSync(input);
  let started: number | undefined;
  try {
    program.next();
    program.go();
    if (hook.timeout !== undefined) setReceiveTimeout(program.status, hook.timeout * 1000);
    for (let record = program.next(); record !== undefined; record = program.next()) {
      if (record.kind === 'note') {
        started = record.value;
        continue;
      }
      if (record.value === 0) return;
      const end = record.value & 0x7f ? `signal: ${record.value & 0x7f}` : `exit status ${record.value >> 8}`;
      throw new RuntimeError(
        `error running ${name}: ${end}, output: ${readFileSync(`/proc/self/fd/${output}`, 'utf8').trim()}`,
      );
    }
    throw new RuntimeError(`error running ${name}: it could not be watched`);
  } catch (error) {
    if (errorCode(error) === 'EAGAIN') {
      if (started !== undefined) process.kill(started, 'SIGKILL');
      throw new RuntimeError(`error running ${name}: hook ran past specified timeout of ${hook.timeout}s`);
    }
    if (error instanceof LaunchError) throw new RuntimeError(`error running ${name}: ${error.message}`);
    throw error;
  } finally {
    program.close();
    closeSync(output);
  }
}
