/** From the flags of `build` to a request. */
import { statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import type { BuildRequest, CacheLocation, Output, SecretSource, SshSource } from '../../build/build-request.ts';
import { hostPlatform, parsePlatform, type Platform } from '../../image/platform.ts';
import { parseReference, withDefaultTag, type Reference } from '../../image/reference.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { parseAddHost } from '../../oci/options/add-host.ts';
import { parseFields } from '../../oci/options/fields.ts';
import { parseSize } from '../../oci/options/size.ts';
import { parseUlimit } from '../../oci/options/ulimit.ts';
import type { CommandContext } from '../command.ts';
import type { FlagValues } from '../flags/flag.ts';
import type { BUILD_FLAGS } from './build-flags.ts';

export type BuildFlags = FlagValues<typeof BUILD_FLAGS>;

type World = Pick<CommandContext, 'env' | 'cwd'>;

export function buildRequest(flags: BuildFlags, context: string, world: World): BuildRequest {
  const platforms = parsePlatforms(flags.platform, world);
  const buildArgs = buildArguments(flags['build-arg'], world);
  const { outputs, rewriteTimestamp } = parseOutputs(flags, world);
  const network = flags.network;
  if (network !== 'default' && network !== 'none' && network !== 'host' && network !== 'bridge') {
    throw new InvalidInput(`network mode "${network}" not supported by builds: use default, none or host`);
  }
  return {
    context,
    file: flags.file,
    target: flags.target,
    buildArgs,
    labels: Object.fromEntries(flags.label.map((each) => pair(each))),
    noCache: flags['no-cache'],
    noCacheFilter: flags['no-cache-filter'].flatMap((each) => each.split(',')),
    pull: flags.pull,
    secrets: new Map(flags.secret.map((each) => parseSecret(each, world))),
    ssh: new Map(flags.ssh.map((each) => parseSsh(each, world))),
    contexts: new Map(flags['build-context'].map((each) => namedContext(each))),
    platforms,
    outputs,
    rewriteTimestamp,
    cacheFrom: flags['cache-from'].map((each) => parseCache(each, 'src', world)),
    cacheTo: flags['cache-to'].map((each) => parseCache(each, 'dest', world)),
    extraHosts: flags['add-host'].map((each) => {
      const { name, address } = parseAddHost(each);
      return { address, names: [name] };
    }),
    network: network === 'bridge' ? 'default' : network,
    shmSize: flags['shm-size'] === undefined ? undefined : parseSize(flags['shm-size']),
    ulimits: flags.ulimit.map(parseUlimit),
    allow: new Set(flags.allow.flatMap((each) => each.split(','))),
    provenance: isWanted(flags.provenance, flags.attest, 'provenance'),
    sbom: isWanted(flags.sbom, flags.attest, 'sbom'),
    epoch: parseEpoch(buildArgs.get('SOURCE_DATE_EPOCH')),
  };
}

/** `NAME=VALUE`; a bare name is taken from the environment, if it is there. */
function buildArguments(given: readonly string[], { env }: World): Map<string, string> {
  const args = new Map<string, string>();
  for (const each of given) {
    const equals = each.indexOf('=');
    if (equals > 0) args.set(each.slice(0, equals), each.slice(equals + 1));
    else if (equals < 0 && env[each] !== undefined) args.set(each, env[each]);
  }
  const epoch = env['SOURCE_DATE_EPOCH'];
  if (epoch !== undefined && !args.has('SOURCE_DATE_EPOCH')) args.set('SOURCE_DATE_EPOCH', epoch);
  return args;
}

function parseEpoch(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,11}$/.test(text)) throw new InvalidInput(`invalid SOURCE_DATE_EPOCH: ${text}`);
  return Number(text);
}

function parsePlatforms(given: readonly string[], { env }: World): Platform[] {
  const texts = given.length > 0 ? given : env['DOCKER_DEFAULT_PLATFORM'] ? [env['DOCKER_DEFAULT_PLATFORM']] : [];
  const platforms = texts
    .flatMap((each) => each.split(','))
    .map((each) => (each === 'local' ? hostPlatform() : parsePlatform(each.trim())));
  return platforms.length > 0 ? platforms : [hostPlatform()];
}

function parseReferences(names: readonly string[]): Reference[] {
  return names.map((name) => {
    const reference = withDefaultTag(parseReference(name));
    if (reference.digest !== undefined) throw new InvalidInput(`invalid tag "${name}": it must not be a digest`);
    return reference;
  });
}

function parseOutputs(flags: BuildFlags, world: World): { outputs: Output[]; rewriteTimestamp: boolean } {
  const tags = parseReferences(flags.tag);
  const annotations = Object.fromEntries(
    flags.annotation.map((each) => pair(each.replace(/^(?:manifest|index)[^:]*:/, ''))),
  );
  let rewriteTimestamp = false;
  const outputs = flags.output.map((text): Output => {
    const fields = new Map(outputFields(text).map(({ key, value }) => [key, value ?? 'true']));
    if (fields.get('rewrite-timestamp') === 'true') rewriteTimestamp = true;
    const type = fields.get('type');
    const names = fields.get('name')?.split(',');
    const references = names === undefined ? tags : parseReferences(names);
    const dest = fields.get('dest') ?? fields.get('destination');
    switch (type) {
      case 'local':
        if (dest === undefined) throw new InvalidInput('dest is required for local output');
        return { type, dest: resolve(world.cwd, dest), names: references };
      case 'tar':
      case 'oci':
        return { type, dest: dest === undefined || dest === '-' ? '-' : resolve(world.cwd, dest), names: references };
      case 'docker':
        if (dest === undefined) return { type: 'image', names: references, push: false, annotations };
        return { type, dest: dest === '-' ? '-' : resolve(world.cwd, dest), names: references };
      case 'image':
        return { type, names: references, push: fields.get('push') === 'true', annotations };
      case 'registry':
        return { type: 'image', names: references, push: true, annotations };
      case 'cacheonly':
        return { type };
      default:
        throw new InvalidInput(
          type === undefined ? `type is required for output: ${text}` : `unsupported output type "${type}"`,
        );
    }
  });
  if (outputs.length === 0 || flags.push || flags.load) {
    outputs.push({ type: 'image', names: tags, push: flags.push, annotations });
  }
  return { outputs, rewriteTimestamp };
}

/** `-o folder`, `-o -` and `-o file.tar` without a type are what they look like. */
function outputFields(text: string) {
  if (text === '-')
    return [
      { key: 'type', value: 'tar' },
      { key: 'dest', value: '-' },
    ];
  if (!text.includes('='))
    return [
      { key: 'type', value: 'local' },
      { key: 'dest', value: text },
    ];
  return parseFields(text);
}

/** `id=x,src=file`, `id=x,env=NAME`, `type=env,id=NAME`. */
function parseSecret(text: string, { env, cwd }: World): [string, SecretSource] {
  const fields = new Map(parseFields(text).map(({ key, value }) => [key, value ?? '']));
  const type = fields.get('type') ?? '';
  if (type !== '' && type !== 'file' && type !== 'env') throw new InvalidInput(`unsupported secret type "${type}"`);
  const id = fields.get('id');
  if (id === undefined || id === '') throw new InvalidInput(`secret is missing its id: ${text}`);
  const path = fields.get('src') ?? fields.get('source');
  const name = fields.get('env') ?? (type === 'env' ? (path ?? id) : undefined);
  if (name !== undefined) {
    if (env[name] === undefined) throw new InvalidInput(`secret ${id}: the variable ${name} is not set`);
    return [id, { kind: 'variable', name }];
  }
  if (path === undefined && env[id] !== undefined) return [id, { kind: 'variable', name: id }];
  const file = resolve(cwd, path ?? id);
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new InvalidInput(`failed to stat ${path ?? id}: no such file or directory`);
  }
  return [id, { kind: 'file', path: file }];
}

/** `default`, `id=socket`, `id=key,key`. */
function parseSsh(text: string, { env, cwd }: World): [string, SshSource] {
  const equals = text.indexOf('=');
  const id = equals < 0 ? text : text.slice(0, equals);
  const paths =
    equals < 0
      ? []
      : text
          .slice(equals + 1)
          .split(',')
          .map((path) => resolve(cwd, path));
  const [first] = paths;
  if (first === undefined) {
    const socket = env['SSH_AUTH_SOCK'];
    if (!socket) throw new InvalidInput(`invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set`);
    return [id, { kind: 'socket', path: socket }];
  }
  const stats = paths.map((path) => statSync(path, { throwIfNoEntry: false }));
  const missing = paths.find((_, i) => stats[i] === undefined);
  if (missing !== undefined) throw new InvalidInput(`failed to read ${missing}: no such file or directory`);
  return [id, paths.length === 1 && stats[0]!.isSocket() ? { kind: 'socket', path: first } : { kind: 'keys', paths }];
}

function namedContext(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidInput(`invalid context value: ${text}, expected key=value`);
  return [text.slice(0, equals).toLowerCase(), text.slice(equals + 1)];
}

function parseCache(text: string, place: 'src' | 'dest', { cwd }: World): CacheLocation {
  if (!text.includes('=')) return { type: 'registry', place: text, mode: 'min' };
  const fields = new Map(parseFields(text).map(({ key, value }) => [key, value ?? '']));
  const type = fields.get('type') ?? 'registry';
  const mode = fields.get('mode') ?? 'min';
  if (mode !== 'min' && mode !== 'max') throw new InvalidInput(`unsupported cache mode "${mode}"`);
  switch (type) {
    case 'local': {
      const path = fields.get(place);
      if (path === undefined) throw new InvalidInput(`${place} is required for a local cache: ${text}`);
      return { type, place: isAbsolute(path) ? path : resolve(cwd, path), mode };
    }
    case 'registry': {
      const reference = fields.get('ref');
      if (reference === undefined) throw new InvalidInput(`ref is required for a registry cache: ${text}`);
      if (place === 'dest' && mode === 'max') {
        throw new InvalidInput('a cache in a registry has the steps of the target alone: use type=local for mode=max');
      }
      return { type, place: reference, mode };
    }
    case 'inline':
      return { type, place: '', mode };
    default:
      throw new InvalidInput(`unsupported cache type "${type}": use local, registry or inline`);
  }
}

/** `--provenance=true`, `--provenance=mode=max`, `--attest=type=provenance`. */
function isWanted(flag: string | undefined, attest: readonly string[], type: string): boolean {
  if (flag !== undefined) return flag !== 'false' && flag !== '';
  return attest.some(
    (each) =>
      parseFields(each).some(({ key, value }) => key === 'type' && value === type) && !/disabled=true/.test(each),
  );
}

function pair(text: string): [string, string] {
  const equals = text.indexOf('=');
  return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}

/** The names of a file that `--iidfile` and the like write, checked before anything is built. */
export function outputPath(path: string | undefined, { cwd }: World): string | undefined {
  return path === undefined ? undefined : resolve(cwd, path);
}
