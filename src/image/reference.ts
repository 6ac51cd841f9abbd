/**
 * Image references in the grammar of github.com/distribution/reference:
 *
 *   reference  = name [ ":" tag ] [ "@" digest ]
 *   name       = [ domain "/" ] path
 *
 * A first component without `.`, `:` and capitals that is not `localhost` is no domain: then docker.io is meant, and there a
 * path of one component lies under `library/`.
 */
import { isDigest, type Digest } from './digest.ts';
import { ImageError } from './image-error.ts';

export interface Reference {
  /** `docker.io`, `localhost:5000`, `[::1]:5000`… */
  readonly domain: string;
  /** Repository within the registry: `library/debian`. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const DEFAULT_DOMAIN = 'docker.io';
const LEGACY_DEFAULT_DOMAIN = 'index.docker.io';
const OFFICIAL_PREFIX = 'library/';
const DEFAULT_TAG = 'latest';
const NAME_LIMIT = 255;

const domainComponent = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const host = `(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])`;
const domain = `${host}(?::[0-9]+)?`;
const pathComponent = '[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*';
const path = `${pathComponent}(?:/${pathComponent})*`;
const tag = '[\\w][\\w.-]{0,127}';
const digest = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';

const referencePattern = new RegExp(`^(?:(${domain})/)?(${path})(?::(${tag}))?(?:@(${digest}))?$`);
const identifierPattern = /^[a-f0-9]{64}$/;

/** Parses what a user types. Throws INVALID in Docker's words. The tag stays absent where none is given. */
export function parseReference(text: string): Reference {
  if (identifierPattern.test(text)) {
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const { domain: registry, rest } = splitDomain(text);
  const end = rest.search(/[:@]/);
  const repository = end < 0 ? rest : rest.slice(0, end);
  if (repository.toLowerCase() !== repository) {
    throw invalid(`invalid reference format: repository name (${repository}) must be lowercase`);
  }
  const match = referencePattern.exec(`${registry}/${rest}`);
  if (!match) throw invalid('invalid reference format');
  const [, , name, tagText, digestText] = match;
  if (`${registry}/${name!}`.length > NAME_LIMIT) {
    throw invalid(`repository name must not be more than ${NAME_LIMIT} characters`);
  }
  if (digestText !== undefined && !isDigest(digestText)) throw invalid(digestProblem(digestText));
  return {
    domain: registry,
    path: name!,
    ...(tagText !== undefined && { tag: tagText }),
    ...(digestText !== undefined && { digest: digestText }),
  };
}

/** `:latest` where neither tag nor digest says which image is meant. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: DEFAULT_TAG } : reference;
}

/** `docker.io/library/debian` */
export function repositoryName(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** `docker.io/library/debian:bookworm`: the name under which the store keeps an image. */
export function canonicalReference(reference: Reference): string {
  return repositoryName(reference) + suffix(reference);
}

/** `debian`, `localhost:5000/app`: as Docker shows a repository. */
export function familiarName(reference: Reference): string {
  const { domain: registry, path: name } = reference;
  if (registry !== DEFAULT_DOMAIN) return `${registry}/${name}`;
  const short = name.slice(OFFICIAL_PREFIX.length);
  return name.startsWith(OFFICIAL_PREFIX) && !short.includes('/') ? short : name;
}

/** `debian:bookworm`, `localhost:5000/app@sha256:…`: as Docker shows an image. */
export function familiarReference(reference: Reference): string {
  return familiarName(reference) + suffix(reference);
}

function suffix({ tag: tagText, digest: digestText }: Reference): string {
  return (tagText === undefined ? '' : `:${tagText}`) + (digestText === undefined ? '' : `@${digestText}`);
}

function splitDomain(text: string): { domain: string; rest: string } {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  const isDomain = slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
  const registry = isDomain ? first : DEFAULT_DOMAIN;
  const rest = isDomain ? text.slice(slash + 1) : text;
  if (registry !== DEFAULT_DOMAIN && registry !== LEGACY_DEFAULT_DOMAIN) return { domain: registry, rest };
  return { domain: DEFAULT_DOMAIN, rest: rest.includes('/') ? rest : OFFICIAL_PREFIX + rest };
}

/** github.com/opencontainers/go-digest's words. */
function digestProblem(text: string): string {
  const colon = text.indexOf(':');
  if (text.slice(0, colon) !== 'sha256') return 'unsupported digest algorithm';
  return text.length - colon - 1 === 64 ? 'invalid checksum digest format' : 'invalid checksum digest length';
}

function invalid(message: string): ImageError {
  return new ImageError('INVALID', message);
}
