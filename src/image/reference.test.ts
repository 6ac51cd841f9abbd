import { describe, expect, test } from 'vitest';
import {
  canonicalReference,
  familiarName,
  familiarReference,
  parseReference,
  repositoryName,
  withDefaultTag,
} from './reference.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

describe('references as Docker reads them', () => {
  test.each([
    ['debian', 'docker.io/library/debian', 'debian'],
    ['library/debian', 'docker.io/library/debian', 'debian'],
    ['docker.io/debian', 'docker.io/library/debian', 'debian'],
    ['index.docker.io/debian', 'docker.io/library/debian', 'debian'],
    ['grafana/loki', 'docker.io/grafana/loki', 'grafana/loki'],
    ['library/a/b', 'docker.io/library/a/b', 'library/a/b'],
    ['localhost/app', 'localhost/app', 'localhost/app'],
    ['localhost:5000/library/debian', 'localhost:5000/library/debian', 'localhost:5000/library/debian'],
    ['127.0.0.1:5000/app', '127.0.0.1:5000/app', '127.0.0.1:5000/app'],
    ['[::1]:5000/app', '[::1]:5000/app', '[::1]:5000/app'],
    ['ghcr.io/a__b/c-d.e_f', 'ghcr.io/a__b/c-d.e_f', 'ghcr.io/a__b/c-d.e_f'],
    ['a---b', 'docker.io/library/a---b', 'a---b'],
    ['Registry/app', 'Registry/app', 'Registry/app'],
  ])('%s', (text, repository, familiar) => {
    const reference = parseReference(text);
    expect(repositoryName(reference)).toBe(repository);
    expect(familiarName(reference)).toBe(familiar);
    expect(reference.tag).toBeUndefined();
    expect(parseReference(canonicalReference(reference))).toEqual(reference);
  });

  test('tags, digests and both', () => {
    expect(parseReference('debian:bookworm')).toMatchObject({ tag: 'bookworm' });
    expect(parseReference(`debian@${digest}`)).toEqual({ domain: 'docker.io', path: 'library/debian', digest });
    const both = parseReference(`localhost:5000/debian:12@${digest}`);
    expect(both).toEqual({ domain: 'localhost:5000', path: 'debian', tag: '12', digest });
    expect(familiarReference(both)).toBe(`localhost:5000/debian:12@${digest}`);
    expect(parseReference(`debian:${'a'.repeat(128)}`).tag).toHaveLength(128);
  });

  test('the default tag comes only where nothing else says which image', () => {
    expect(canonicalReference(withDefaultTag(parseReference('debian')))).toBe('docker.io/library/debian:latest');
    expect(withDefaultTag(parseReference('debian:12')).tag).toBe('12');
    expect(withDefaultTag(parseReference(`debian@${digest}`)).tag).toBeUndefined();
  });

  test.each([
    ['', 'invalid reference format'],
    [':tag', 'invalid reference format'],
    ['debian:', 'invalid reference format'],
    ['debian:-x', 'invalid reference format'],
    [`debian:${'a'.repeat(129)}`, 'invalid reference format'],
    ['debian@sha256:12', 'invalid reference format'],
    ['a//b', 'invalid reference format'],
    ['/a', 'invalid reference format'],
    ['a/', 'invalid reference format'],
    ['-debian', 'invalid reference format'],
    ['a_.b', 'invalid reference format'],
    ['a.b-/c', 'invalid reference format'],
    ['a b', 'invalid reference format'],
    ['../etc/passwd', 'invalid reference format'],
    ['localhost:x/app', 'invalid reference format'],
    ['https://ghcr.io/app', 'invalid reference format'],
    ['Debian', 'invalid reference format: repository name (library/Debian) must be lowercase'],
    ['ghcr.io/Foo/bar:x', 'invalid reference format: repository name (Foo/bar) must be lowercase'],
    [`debian@sha256:${'0'.repeat(40)}`, 'invalid checksum digest length'],
    [`debian@sha256:${'A'.repeat(64)}`, 'invalid checksum digest format'],
    [`debian@sha512:${'0'.repeat(128)}`, 'unsupported digest algorithm'],
    [`ghcr.io/${'a'.repeat(250)}`, 'repository name must not be more than 255 characters'],
    ['f'.repeat(64), `invalid repository name (${'f'.repeat(64)}), cannot specify 64-byte hexadecimal strings`],
  ])('%s is refused', (text, message) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: 'INVALID', message }) as Error);
  });
});
