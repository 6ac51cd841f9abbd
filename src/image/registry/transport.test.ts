import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RegistryClient } from './registry-client.ts';
import { RegistrySession } from './registry-session.ts';

const retry = { attempts: 1, firstDelay: 1, longestDelay: 1 };

/** Runs a server on a free loopback port during `use`. */
async function serving<T>(server: Server, use: (port: number) => Promise<T>): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  server.listen(0, '127.0.0.1', () => resolve(undefined));
  await promise;
  try {
    return await use((server.address() as AddressInfo).port);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function manifestServer(log: string[]): Parameters<typeof createServer>[1] {
  return (request, response) => {
    log.push(`${request.method} ${request.url}`);
    response.end('{}');
  };
}

async function fetchFrom(
  domain: string,
  options: { insecureRegistries?: string[]; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const session = new RegistrySession(domain, { retry, env: {}, idleTimeout: 2000, ...options });
  const client = new RegistryClient(session);
  try {
    return (await client.fetchManifest('app', '1', `${domain}/app:1`, undefined)).bytes.toString();
  } finally {
    session.close();
  }
}

const openssl = ['/usr/bin/openssl', '/usr/local/bin/openssl'].find((path) => existsSync(path));

describe.skipIf(openssl === undefined)('TLS', () => {
  let folder: string;
  let key: Buffer;
  let cert: Buffer;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'trun-tls-'));
    const request = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
    ];
    const names = ['-subj', '/CN=registry.test', '-keyout', join(folder, 'key'), '-out', join(folder, 'cert')];
    execFileSync(openssl!, [...request, ...names], { stdio: 'ignore' });
    key = readFileSync(join(folder, 'key'));
    cert = readFileSync(join(folder, 'cert'));
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  test('on loopback with any certificate', async () => {
    const log: string[] = [];
    await serving(createTlsServer({ key, cert }, manifestServer(log)), async (port) => {
      expect(await fetchFrom(`localhost:${port}`)).toBe('{}');
    });
    expect(log).toEqual(['GET /v2/', 'GET /v2/app/manifests/1']);
  });

  test('elsewhere not with a certificate that nobody knows, unless the registry is listed', async () => {
    const log: string[] = [];
    const tls = createTlsServer({ key, cert }, manifestServer(log));
    // By way of a proxy, for a name that is not loopback.
    const proxy = createServer();
    await serving(tls, async (port) => {
      const { connect } = await import('node:net');
      proxy.on('connect', (_, socket) => {
        const upstream = connect(port, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
        upstream.pipe(socket).pipe(upstream);
        upstream.on('error', () => socket.destroy());
        socket.on('error', () => upstream.destroy());
      });
      await serving(proxy, async (proxyPort) => {
        const env = { HTTPS_PROXY: `http://127.0.0.1:${proxyPort}` };
        await expect(fetchFrom('registry.test', { env })).rejects.toThrow(
          /^Cannot reach registry registry\.test: tls: failed to verify certificate: .*; add its CA/,
        );
        expect(log).toEqual([]);
        expect(await fetchFrom('registry.test', { env, insecureRegistries: ['registry.test'] })).toBe('{}');
      });
    });
  });
});

describe('proxies from the environment', () => {
  test('serve plain http, but not for loopback', async () => {
    const log: string[] = [];
    await serving(createServer(manifestServer(log)), async (proxyPort) => {
      const env = { http_proxy: `http://127.0.0.1:${proxyPort}` };
      // https fails for want of a name, http goes to the proxy with the whole address.
      expect(await fetchFrom('registry.invalid', { env, insecureRegistries: ['registry.invalid'] })).toBe('{}');
      expect(log).toEqual(['GET http://registry.invalid/v2/', 'GET http://registry.invalid/v2/app/manifests/1']);
      log.length = 0;
      const direct: string[] = [];
      await serving(createServer(manifestServer(direct)), async (port) => {
        expect(await fetchFrom(`127.0.0.1:${port}`, { env })).toBe('{}');
      });
      expect([log.length, direct.length]).toEqual([0, 2]);
    });
  });
});

describe('what is no registry', () => {
  test('says so', async () => {
    const page = createServer((_, response) => response.writeHead(404).end('<html>not here</html>'));
    await serving(page, async (port) => {
      const domain = `127.0.0.1:${port}`;
      await expect(fetchFrom(domain)).rejects.toThrow(
        `Registry ${domain} does not answer as a registry: the registry does not have it`,
      );
    });
  });

  test('a name that is not there', async () => {
    await expect(fetchFrom('registry.invalid')).rejects.toThrow(
      /Cannot reach registry registry\.invalid: .*name|no such host/,
    );
  });
});
