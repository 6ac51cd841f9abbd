/**
 * Having `trun system boot` run when the machine comes up, or the user logs in first: by a unit of the user's systemd, and
 * where there is none by a line in the user's crontab.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installRoot } from '../base/install.ts';
import { defaultRoot, type StatePaths } from '../state/paths.ts';
import { EngineError } from './engine-error.ts';

const UNIT = 'trun-boot.service';
/** How our line of a crontab is known again. */
const MARK = '# trun: containers that restart';

export interface Autostart {
  readonly way: 'systemd' | 'crontab';
  /** What the user should know: when it takes effect. */
  readonly note?: string;
}

/** Installs it, over an older one. Throws UNSUPPORTED where the host has neither. */
export async function enableBoot({ root }: StatePaths): Promise<Autostart> {
  if (await hasSystemd()) {
    mkdirSync(unitFolder(), { recursive: true });
    writeFileSync(join(unitFolder(), UNIT), unitText(root));
    await systemctl('daemon-reload');
    await systemctl('enable', UNIT);
    return { way: 'systemd', ...lingerNote(userInfo().username) };
  }
  const lines = await readCrontab();
  if (lines === undefined) {
    throw new EngineError(
      'UNSUPPORTED',
      'Cannot have containers start with the machine: neither a systemd of yours nor crontab is to be had here; ' +
        "run 'trun system boot' from what your login runs",
    );
  }
  await writeCrontab([
    ...lines.filter((line) => !line.endsWith(MARK)),
    `@reboot ${shellWords(bootCommand(root))} ${MARK}`,
  ]);
  return { way: 'crontab' };
}

/** Takes it away, wherever it is; nothing where it is not. */
export async function disableBoot(): Promise<void> {
  if (existsSync(join(unitFolder(), UNIT))) {
    const live = await hasSystemd();
    if (live) await systemctl('disable', UNIT);
    rmSync(join(unitFolder(), UNIT), { force: true });
    rmSync(join(unitFolder(), 'default.target.wants', UNIT), { force: true });
    if (live) await systemctl('daemon-reload');
  }
  const lines = await readCrontab();
  if (lines?.some((line) => line.endsWith(MARK)) === true) {
    await writeCrontab(lines.filter((line) => !line.endsWith(MARK)));
  }
}

function bootCommand(root: string): string[] {
  const isDefault = root === defaultRoot({ ...process.env, TRUN_ROOT: undefined });
  return [join(installRoot, 'bin/trun'), ...(isDefault ? [] : ['--root', root]), 'system', 'boot'];
}

/** The containers outlive the command, and stopping the unit is not their end: systemd.kill(5), KillMode=process. */
function unitText(root: string): string {
  return `[Unit]
Description=Containers of trun that restart

[Service]
Type=oneshot
RemainAfterExit=yes
KillMode=process
ExecStart=${bootCommand(root).map(systemdWord).join(' ')}

[Install]
WantedBy=default.target
`;
}

/** systemd.service(5), "Command lines": quoted, with `%` and `$` for themselves. */
function systemdWord(word: string): string {
  const escaped = word.replaceAll('%', '%%').replaceAll('$', '$$$$').replace(/["\\]/g, '\\$&');
  return `"${escaped}"`;
}

/** crontab(5): `%` is a line's end there, whatever the quotes. */
function shellWords(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`.replaceAll('%', '\\%')).join(' ');
}

function unitFolder(): string {
  const config = process.env['XDG_CONFIG_HOME'];
  return join(
    config?.startsWith('/') === true ? config : join(process.env['HOME'] ?? homedir(), '.config'),
    'systemd/user',
  );
}

/** Without lingering the user's systemd comes with the first login. */
function lingerNote(user: string): Pick<Autostart, 'note'> {
  if (existsSync(join('/var/lib/systemd/linger', user))) return {};
  return { note: `containers start at your first login; for a start with the machine: loginctl enable-linger ${user}` };
}

async function hasSystemd(): Promise<boolean> {
  try {
    await systemctl('show', '--property=Version');
    return true;
  } catch {
    return false;
  }
}

async function systemctl(...args: readonly string[]): Promise<void> {
  await run('systemctl', ['--user', ...args]);
}

/** Undefined where there is no crontab(1), or it is not for this user. */
async function readCrontab(): Promise<string[] | undefined> {
  try {
    return (await run('crontab', ['-l'])).split('\n').filter((line) => line !== '');
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    return /no crontab for/i.test(stderr) ? [] : undefined;
  }
}

async function writeCrontab(lines: readonly string[]): Promise<void> {
  await run('crontab', ['-'], lines.map((line) => `${line}\n`).join(''));
}

/** Resolves with standard output. */
async function run(program: string, args: readonly string[], input = ''): Promise<string> {
  const running = promisify(execFile)(program, [...args]);
  running.child.stdin?.on('error', () => undefined);
  running.child.stdin?.end(input);
  return (await running).stdout;
}
