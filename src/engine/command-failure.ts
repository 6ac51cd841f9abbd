import { EngineError } from './engine-error.ts';

/**
 * Docker's words for a program that could not be executed.
 * @param code of execve(2)'s error, as `ENOENT`
 * @param text what to say of any error that has no words of its own
 * @param prefix goes before all of it
 */
export function commandFailure(
  name: string,
  code: string,
  text: string,
  prefix = '',
  options?: ErrorOptions,
): EngineError {
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    const reason = name.includes('/')
      ? `stat ${name}: no such file or directory`
      : 'executable file not found in $PATH';
    return new EngineError('COMMAND_NOT_FOUND', `${prefix}exec: "${name}": ${reason}`, options);
  }
  const reason = { EACCES: 'permission denied', ENOEXEC: 'exec format error' }[code] ?? text;
  return new EngineError('COMMAND_NOT_EXECUTABLE', `${prefix}exec: "${name}": ${reason}`, options);
}
