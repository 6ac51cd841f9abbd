/** Contexts and ADD sources that are git repositories: `https://host/repo.git#ref:folder`, `git@host:repo`, `git://…`. */
import { execFile } from 'node:child_process';
import { mkdirSync, realpathSync } from 'node:fs';
import { join, sep } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The rules of Docker: a scheme of git's, an scp-like address, or a URL that ends with .git. */
export function isRepository(text: string): boolean {
  return (
    /^(?:git|ssh|git\+ssh):\/\//.test(text) ||
    /^[a-zA-Z0-9_.-]+@[a-zA-Z0-9_.-]+:/.test(text) ||
    /^https?:\/\/[^#?]+\.git(?:[#?].*)?$/.test(text) ||
    /^(?:https?:\/\/)?github\.com\/[^/]+\/[^/]+(?:#.*)?$/.test(text)
  );
}

export interface Checkout {
  /** The folder that is meant. */
  readonly path: string;
  /** The commit's name. */
  readonly commit: string;
}

/** Fetches one commit into `folder`, which is made, submodules included. */
export async function cloneRepository(
  text: string,
  folder: string,
  { signal, env }: { readonly signal: AbortSignal; readonly env: Readonly<NodeJS.ProcessEnv> },
): Promise<Checkout> {
  const { url, ref, subfolder } = parseRepository(text);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const options = {
    cwd: folder,
    signal,
    // Nobody is there to type a password.
    env: { ...env, GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_NOSYSTEM: '1' },
    maxBuffer: 16 << 20,
  };
  async function git(...args: string[]): Promise<string> {
    try {
      return (
        await run('git', ['-c', 'advice.detachedHead=false', '-c', 'core.hooksPath=/dev/null', ...args], options)
      ).stdout.trim();
    } catch (error) {
      const { code, stderr } = error as { code?: unknown; stderr?: string };
      if (code === 'ENOENT') throw new Error(`Cannot clone ${url}: git is not installed`, { cause: error });
      throw new Error(`Cannot clone ${url}: ${(stderr ?? '').trim().split('\n').at(-1) ?? 'git failed'}`, {
        cause: error,
      });
    }
  }
  await git('init', '-q');
  await git('remote', 'add', '--', 'origin', url);
  try {
    await git('fetch', '-q', '--depth=1', '--no-tags', '--', 'origin', ref ?? 'HEAD');
    await git('checkout', '-q', 'FETCH_HEAD');
  } catch (error) {
    // A server that does not give out commits by a short name: get all of it and look.
    if (ref === undefined) throw error;
    await git('fetch', '-q', '--tags', 'origin', '+refs/heads/*:refs/remotes/origin/*');
    await git('checkout', '-q', '--detach', ref);
  }
  await git('submodule', 'update', '-q', '--init', '--recursive', '--depth=1');
  const commit = await git('rev-parse', 'HEAD');
  const root = realpathSync(folder);
  const path = realpathSync(join(root, subfolder));
  if (path !== root && !path.startsWith(root + sep))
    throw new Error(`Cannot use ${text}: its folder lies outside of the repository`);
  return { path, commit };
}

/** `URL#ref:folder`, or `URL?ref=…&subdir=…`. */
export function parseRepository(text: string): { url: string; ref: string | undefined; subfolder: string } {
  const {
    address,
    query = '',
    fragment = '',
  } = /^(?<address>[^?#]*)(?:\?(?<query>[^#]*))?(?:#(?<fragment>.*))?$/s.exec(text)?.groups as {
    address: string;
    query?: string;
    fragment?: string;
  };
  const options = new URLSearchParams(query);
  const colon = fragment.indexOf(':');
  const written = colon < 0 ? fragment : fragment.slice(0, colon);
  const ref =
    written === '' ? (options.get('ref') ?? options.get('branch') ?? options.get('tag') ?? undefined) : written;
  const subfolder = colon < 0 ? (options.get('subdir') ?? '') : fragment.slice(colon + 1);
  const url = address.startsWith('github.com/') ? `https://${address}` : address;
  if (ref?.startsWith('-') === true || url.startsWith('-')) throw new Error(`invalid repository: ${text}`);
  return { url, ref, subfolder };
}
