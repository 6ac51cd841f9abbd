import { expect, test } from 'vitest';
import { parseChallenges } from './challenge.ts';

test('schemes and parameters, quoted or not, several in one header', () => {
  expect(
    parseChallenges(
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="a,b:c", Basic realm=x',
    ),
  ).toEqual([
    {
      scheme: 'bearer',
      parameters: { realm: 'https://auth.docker.io/token', service: 'registry.docker.io', scope: 'a,b:c' },
    },
    { scheme: 'basic', parameters: { realm: 'x' } },
  ]);
  expect(parseChallenges('Negotiate, BASIC Realm = "say \\"hi\\""')).toEqual([
    { scheme: 'negotiate', parameters: {} },
    { scheme: 'basic', parameters: { realm: 'say "hi"' } },
  ]);
  expect(parseChallenges('')).toEqual([]);
  expect(parseChallenges('Bearer realm="unfinished')).toEqual([{ scheme: 'bearer', parameters: {} }]);
  expect(parseChallenges(`Bearer ${' ,='.repeat(10_000)}`)).toHaveLength(1);
});
