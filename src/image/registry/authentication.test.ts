import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openImageStore } from '../image-store.ts';
import { pullImage, type PulledImage } from '../pull.ts';
import { FakeRegistry, sendError } from '../testing/fake-registry.ts';
import { buildTar } from '../testing/tar-builder.ts';

let registry: FakeRegistry;
let home: string;

beforeEach(async () => {
  registry = await FakeRegistry.start();
  registry.addImage('private/app', '1', { layers: [buildTar([{ path: 'f', content: 'x' }])] });
  home = mkdtempSync(join(tmpdir(), 'trun-home-'));
});

afterEach(async () => {
  rmSync(home, { recursive: true });
  await registry[Symbol.asyncDispose]();
});

function pull(name = 'private/app:1', env: NodeJS.ProcessEnv = {}): Promise<PulledImage> {
  const options = {
    env: { HOME: home, PATH: `${home}:/usr/bin:/bin`, ...env },
    registry: { retry: { attempts: 2, firstDelay: 1, longestDelay: 1 }, idleTimeout: 1000 },
  };
  return pullImage(openImageStore(join(home, 'images'), options), `${registry.host}/${name}`, { policy: 'always' });
}

function writeConfig(config: unknown, folder = join(home, '.docker')): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
}

function writeHelper(name: string, script: string): void {
  const path = join(home, `docker-credential-${name}`);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

function basic(user: string, password: string): string {
  return Buffer.from(`${user}:${password}`).toString('base64');
}

/** Lets in who shows `header`, and challenges everybody else. */
function guard(challenge: string, header: () => string): void {
  registry.onRequest = (request, response) => {
    if (request.url?.startsWith('/v2/') !== true || request.headers.authorization === header()) return false;
    response.setHeader('www-authenticate', challenge);
    sendError(response, 401, 'UNAUTHORIZED', 'authentication required');
    return true;
  };
}

describe('basic authentication', () => {
  beforeEach(() => guard('Basic realm="here"', () => `Basic ${basic('me', 'pass:word')}`));

  test.each([
    ['under the registry', () => ({ auths: { [registry.host]: { auth: basic('me', 'pass:word') } } })],
    ['under an old URL', () => ({ auths: { [`https://${registry.host}/v1/`]: { auth: basic('me', 'pass:word') } } })],
    ['in plain', () => ({ auths: { [registry.host]: { username: 'me', password: 'pass:word' } } })],
  ])('from the config file, %s', async (_, config) => {
    writeConfig(config());
    expect((await pull()).outcome).toBe('pulled');
  });

  test('from $DOCKER_CONFIG', async () => {
    const folder = join(home, 'elsewhere');
    writeConfig({ auths: { [registry.host]: { auth: basic('me', 'pass:word') } } }, folder);
    expect((await pull('private/app:1', { DOCKER_CONFIG: folder })).outcome).toBe('pulled');
  });

  test('from a helper program for the registry', async () => {
    writeHelper(
      'vault',
      `read server; echo "{\\"ServerURL\\":\\"$server\\",\\"Username\\":\\"me\\",\\"Secret\\":\\"pass:word\\"}"`,
    );
    writeConfig({ credHelpers: { [registry.host]: 'vault' }, credsStore: 'missing' });
    expect((await pull()).outcome).toBe('pulled');
  });

  test('from the default helper, or from the file where that has nothing', async () => {
    writeHelper('store', 'echo "credentials not found in native keychain"; exit 1');
    writeConfig({ credsStore: 'store', auths: { [registry.host]: { auth: basic('me', 'pass:word') } } });
    expect((await pull()).outcome).toBe('pulled');
  });

  test('without credentials, or with the wrong ones', async () => {
    await expect(pull()).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: `no basic auth credentials for ${registry.host} in ~/.docker/config.json`,
    });
    writeConfig({ auths: { [registry.host]: { auth: basic('me', 'wrong') } } });
    await expect(pull()).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: `pull access denied for ${registry.host}/private/app:1, repository does not exist or may require credentials in ~/.docker/config.json: unauthorized: authentication required`,
    });
  });

  test.each<[string, unknown, string]>([
    ['no JSON', '{', 'it is not a JSON object'],
    ['no object', '[]', 'it is not a JSON object'],
    ['a helper that is not there', { credsStore: 'nowhere' }, 'docker-credential-nowhere: it is not installed'],
    ['a helper that is a path', { credsStore: '../../bin/sh' }, "not a program's name"],
  ])('with a config file that has %s', async (_, config, message) => {
    writeConfig(config);
    await expect(pull()).rejects.toThrow(message);
  });

  test('with a helper that fails or talks nonsense', async () => {
    writeConfig({ credsStore: 'bad' });
    writeHelper('bad', 'echo locked; exit 3');
    await expect(pull()).rejects.toThrow(`Credential helper docker-credential-bad failed for ${registry.host}: locked`);
    writeHelper('bad', 'echo nonsense');
    await expect(pull()).rejects.toThrow('gave a malformed answer');
  });
});

describe('token authentication', () => {
  const asked: URL[] = [];
  let token: string;

  function serveTokens(answer: (request: IncomingMessage, response: ServerResponse, body: string) => void): void {
    guard(
      `Bearer realm="http://${registry.host}/token",service="a \\"service\\"",scope="ignored"`,
      () => `Bearer ${token}`,
    );
    const guarded = registry.onRequest;
    registry.onRequest = (request, response) => {
      if (request.url?.startsWith('/token') !== true) return guarded(request, response);
      asked.push(new URL(request.url, 'http://x'));
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => answer(request, response, body));
      return true;
    };
  }

  beforeEach(() => {
    asked.length = 0;
    token = 'first.token-1_~+/=';
  });

  test('asks for the scope that it needs, once', async () => {
    serveTokens((_, response) => response.end(JSON.stringify({ token })));
    await pull();
    expect(asked.map(({ searchParams }) => Object.fromEntries(searchParams))).toEqual([
      { service: 'a "service"', scope: 'repository:private/app:pull' },
    ]);
  });

  test('shows credentials to the token server, and nothing but the token to the registry', async () => {
    writeConfig({ auths: { [registry.host]: { auth: basic('me', 'secret') } } });
    serveTokens((request, response) => {
      expect(request.headers.authorization).toBe(`Basic ${basic('me', 'secret')}`);
      response.end(JSON.stringify({ access_token: token, expires_in: 300 }));
    });
    await pull();
    expect(asked[0]!.searchParams.get('account')).toBe('me');
  });

  test('uses an identity token by the OAuth2 form', async () => {
    writeConfig({ auths: { [registry.host]: { identitytoken: 'refresh me' } } });
    serveTokens((request, response, body) => {
      expect(request.method).toBe('POST');
      expect(Object.fromEntries(new URLSearchParams(body))).toMatchObject({
        grant_type: 'refresh_token',
        refresh_token: 'refresh me',
        scope: 'repository:private/app:pull',
      });
      response.end(JSON.stringify({ access_token: token }));
    });
    await pull();
  });

  test('gets a new one when the old one has expired on the way', async () => {
    serveTokens((_, response) => response.end(JSON.stringify({ token })));
    const guarded = registry.onRequest;
    registry.onRequest = (request, response) => {
      if (request.url?.includes('/blobs/') === true) token = 'second';
      return guarded(request, response);
    };
    expect((await pull()).outcome).toBe('pulled');
    expect(asked.length).toBe(2);
  });

  test.each<[string, string, string]>([
    ['no JSON', 'rubbish', 'its answer has no token'],
    ['no token', '{}', 'its answer has no token'],
    ['a token that would add a header', JSON.stringify({ token: 'x\r\nHost: evil' }), 'its answer has no token'],
  ])('from a server that sends %s', async (_, body, message) => {
    serveTokens((__, response) => response.end(body));
    await expect(pull()).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: expect.stringContaining(message) as string,
    });
  });

  test('from a server that knows better', async () => {
    serveTokens((_, response) => sendError(response, 401, 'UNAUTHORIZED', 'incorrect username or password'));
    await expect(pull()).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: `Cannot get a token for ${registry.host} from ${registry.host}: unauthorized: incorrect username or password`,
    });
  });

  test('from nowhere usable', async () => {
    guard('Bearer realm="ftp://x/"', () => 'never');
    await expect(pull()).rejects.toThrow('names no usable token server');
    guard('Negotiate', () => 'never');
    await expect(pull()).rejects.toThrow('asks for an authentication that is not supported');
  });
});

describe('redirects', () => {
  test('to another host do not take the credentials along', async () => {
    await using elsewhere = await FakeRegistry.start();
    elsewhere.addImage('private/app', '1', { layers: [buildTar([{ path: 'f', content: 'x' }])] });
    writeConfig({ auths: { [registry.host]: { auth: basic('me', 'secret') } } });
    guard('Basic realm="here"', () => `Basic ${basic('me', 'secret')}`);
    const guarded = registry.onRequest;
    registry.onRequest = (request, response) => {
      if (guarded(request, response)) return true;
      if (request.url?.includes('/blobs/') !== true) return false;
      response.writeHead(307, { location: `http://${elsewhere.host}${request.url}?signature=1` }).end();
      return true;
    };
    expect((await pull()).outcome).toBe('pulled');
    expect(elsewhere.log.length).toBe(2);
    expect(elsewhere.headers.map(({ authorization }) => authorization)).toEqual([undefined, undefined]);
  });

  test('within the host do', async () => {
    guard('Basic realm="here"', () => `Basic ${basic('me', 'secret')}`);
    writeConfig({ auths: { [registry.host]: { auth: basic('me', 'secret') } } });
    const guarded = registry.onRequest;
    registry.onRequest = (request, response) => {
      if (guarded(request, response)) return true;
      if (request.url?.includes('/blobs/') !== true || request.url.includes('again')) return false;
      response.writeHead(302, { location: `${request.url}?again` }).end();
      return true;
    };
    expect((await pull()).outcome).toBe('pulled');
  });

  test('to something that is no HTTP are not followed', async () => {
    registry.onRequest = (request, response) => {
      if (request.url?.includes('/blobs/') !== true) return false;
      response.writeHead(302, { location: 'file:///etc/passwd' }).end();
      return true;
    };
    await expect(pull()).rejects.toThrow('redirects to an address that is no HTTP');
  });
});
