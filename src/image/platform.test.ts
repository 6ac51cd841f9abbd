import { describe, expect, test } from 'vitest';
import { choosePlatform, formatPlatform, parsePlatform, platformMatches } from './platform.ts';

test.each([
  ['linux/amd64', 'linux/amd64'],
  ['amd64', 'linux/amd64'],
  ['x86_64', 'linux/amd64'],
  ['Linux/AMD64', 'linux/amd64'],
  ['linux/amd64/v1', 'linux/amd64'],
  ['linux/amd64/v3', 'linux/amd64/v3'],
  ['aarch64', 'linux/arm64/v8'],
  ['linux/arm64', 'linux/arm64/v8'],
  ['linux/arm', 'linux/arm/v7'],
  ['armhf', 'linux/arm/v7'],
  ['linux/arm/6', 'linux/arm/v6'],
  ['linux/s390x', 'linux/s390x'],
])('%s means %s', (text, platform) => {
  expect(formatPlatform(parsePlatform(text))).toBe(platform);
});

test.each(['', 'linux/', 'a/b/c/d', 'linux/amd 64', '/amd64'])('%j is none', (text) => {
  expect(() => parsePlatform(text)).toThrow('invalid platform');
});

describe('the best offer is chosen', () => {
  test.each([
    ['amd64', ['linux/arm64', 'linux/amd64'], 1],
    ['amd64', ['linux/386'], 0],
    ['amd64', ['linux/386', 'linux/amd64'], 1],
    ['amd64', ['linux/amd64/v3'], -1],
    ['linux/amd64/v3', ['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4'], 1],
    ['arm64', ['linux/arm/v6', 'linux/arm/v7'], 1],
    ['arm64', ['linux/arm/v7', 'linux/arm64/v8'], 1],
    ['arm', ['linux/arm/v8', 'linux/arm/v5'], 1],
    ['s390x', ['linux/amd64'], -1],
    ['amd64', ['windows/amd64'], -1],
  ])('for %s of %j', (wanted, offers, index) => {
    expect(choosePlatform(parsePlatform(wanted), offers.map(parsePlatform))).toBe(index);
  });

  test('an offer without a platform is none', () => {
    expect(choosePlatform(parsePlatform('amd64'), [undefined])).toBe(-1);
    expect(platformMatches(parsePlatform('amd64'), parsePlatform('386'))).toBe(true);
  });
});
