import { describe, expect, test } from 'vitest';
import { endpointsOf, isLoopback } from './endpoint.ts';

function bases(domain: string, insecure: string[] = []): string[] {
  return endpointsOf(domain, insecure).map(({ base, insecure: any }) => `${base.href}${any ? ' any certificate' : ''}`);
}

describe('where a registry answers', () => {
  test('over https with a real certificate, as a rule', () => {
    expect(bases('ghcr.io')).toEqual(['https://ghcr.io/']);
    expect(bases('registry.example:5000')).toEqual(['https://registry.example:5000/']);
    expect(bases('docker.io')).toEqual(['https://registry-1.docker.io/']);
    expect(bases('10.0.0.1:5000', ['10.1.0.0/16', 'other.example'])).toEqual(['https://10.0.0.1:5000/']);
  });

  test.each(['localhost:5000', '127.0.0.1:5000', '127.9.9.9:5000', '[::1]:5000'])('on %s over http first', (domain) => {
    expect(bases(domain)).toEqual([`http://${domain}/ any certificate`, `https://${domain}/ any certificate`]);
  });

  test.each([
    ['registry.example:5000', 'registry.example:5000'],
    ['registry.example:5000', 'registry.example'],
    ['10.1.2.3:5000', '10.1.0.0/16'],
    ['[fd00::5]:5000', 'fd00::/8'],
  ])('%s, listed as %s, either way', (domain, entry) => {
    expect(bases(domain, [entry])).toEqual([`https://${domain}/ any certificate`, `http://${domain}/ any certificate`]);
  });

  test('nonsense in the list matches nothing', () => {
    expect(bases('10.1.2.3', ['10.1.0.0/99', '/', 'x/y', '10.1.0.0'])).toEqual(['https://10.1.2.3/']);
  });
});

test('loopback', () => {
  for (const name of ['localhost', 'LOCALHOST', 'a.localhost', '127.0.0.1', '127.1.2.3', '::1', '[::1]']) {
    expect(isLoopback(name)).toBe(true);
  }
  for (const name of ['localhost.example', '128.0.0.1', '127.example', '::2', '']) expect(isLoopback(name)).toBe(false);
});
