import { expect, test } from 'vitest';
import { parseDockerfile } from '../dockerfile/parse-dockerfile.ts';
import { checkDockerfile } from './check-dockerfile.ts';

function rules(source: string): string[] {
  return checkDockerfile(parseDockerfile(source)).map(({ rule, line }) => `${rule}:${line}`);
}

test.each([
  ['FROM a\nRUN b\nCMD ["c"]', []],
  ['from a\nrun b\nUSER c', ['ConsistentInstructionCasing:3']],
  ['FROM a as b', ['FromAsCasing:1']],
  ['FROM a AS B', ['StageNameCasing:1']],
  ['FROM a AS b\nFROM a AS b', ['DuplicateStageName:2']],
  ['FROM a AS scratch', ['ReservedStageName:1']],
  ['FROM --platform=linux/amd64 a', ['FromPlatformFlagConstDisallowed:1']],
  ['FROM --platform=$TARGETPLATFORM a', ['RedundantTargetPlatform:1']],
  ['FROM --platform=$BUILDPLATFORM a', []],
  ['FROM a\nMAINTAINER me', ['MaintainerDeprecated:2']],
  ['FROM a\nENV b c', ['LegacyKeyValueFormat:2']],
  ['FROM a\nLABEL b c', ['LegacyKeyValueFormat:2']],
  ['FROM a\nENV API_TOKEN=x', ['SecretsUsedInArgOrEnv:2']],
  ['FROM a\nARG PASSWORD', ['SecretsUsedInArgOrEnv:2']],
  ['FROM a\nENV PUBLIC_KEY=x TOKENS=1', []],
  ['FROM a\nCMD b', ['JSONArgsRecommended:2']],
  ['FROM a\nSHELL ["x"]\nCMD b', []],
  ['FROM a\nCMD ["b"]\nCMD ["c"]', ['MultipleInstructionsDisallowed:2']],
  ['FROM a\nWORKDIR b', ['WorkdirRelativePath:2']],
  ['FROM a\nWORKDIR /a\nWORKDIR b', []],
  ['FROM a\nEXPOSE 80/TCP 1.2.3.4:80:80', ['ExposeProtoCasing:2', 'ExposeInvalidFormat:2']],
  ['FROM a\nRUN b \\\n\n c', ['NoEmptyContinuation:3']],
])('%j: %j', (source, expected) => {
  expect(rules(source)).toEqual(expected);
});
