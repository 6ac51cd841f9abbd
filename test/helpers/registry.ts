import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunningCommand, output } from './command.ts';
import { waitFor } from './wait-for.ts';

/** The one account of a registry with `authentication`; the hash is bcrypt's of the password. */
export const account = {
  name: 'tester',
  password: 'secret',
  hash: '$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a',
} as const;

interface RegistryOptions {
  /** A storage folder to serve, which is never written to. */
  readonly storage?: string;
  /** A storage folder to fill. Absent as well: one that lives as long as the registry. */
  readonly emptyStorage?: string;
  /** Asks for `account` by basic auth. */
  readonly authentication?: boolean;
  readonly port?: number;
}

/** A port of 127.0.0.1 that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve((address as { port: number }).port));
    });
  });
}

/** Debian's docker-registry, on loopback, over plain http. */
export class Registry implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  readonly #server: RunningCommand;

  private constructor(port: number, folder: string, server: RunningCommand) {
    this.port = port;
    this.#folder = folder;
    this.#server = server;
  }

  static async start(options: RegistryOptions = {}): Promise<Registry> {
    const port = options.port ?? (await freePort());
    const folder = await mkdtemp(join(tmpdir(), 'registry-'));
    const readonly = options.storage !== undefined;
    const config = {
      version: '0.1',
      log: { level: 'error', accesslog: { disabled: true } },
      storage: {
        filesystem: { rootdirectory: options.storage ?? options.emptyStorage ?? join(folder, 'storage') },
        delete: { enabled: !readonly },
        maintenance: { uploadpurging: { enabled: false }, readonly: { enabled: readonly } },
      },
      http: { addr: `127.0.0.1:${port}` },
      ...(options.authentication === true
        ? { auth: { htpasswd: { realm: 'trun-test', path: join(folder, 'htpasswd') } } }
        : {}),
    };
    await writeFile(join(folder, 'htpasswd'), `${account.name}:${account.hash}\n`);
    // JSON is YAML.
    await writeFile(join(folder, 'config.yml'), JSON.stringify(config));
    const server = new RunningCommand('docker-registry', ['serve', join(folder, 'config.yml')], {
      env: { PATH: process.env['PATH'], OTEL_TRACES_EXPORTER: 'none' },
      timeout: 2 ** 31 - 1,
    });
    const registry = new Registry(port, folder, server);
    try {
      await waitFor('the registry to answer', async () => {
        if (server.process.exitCode !== null) throw new Error(`docker-registry ended: ${server.stderr}`);
        const answer = await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => undefined);
        return answer?.ok === true || answer?.status === 401;
      });
    } catch (error) {
      await registry[Symbol.asyncDispose]();
      throw error;
    }
    return registry;
  }

  /** `library/busybox:latest` -> `localhost:PORT/library/busybox:latest` */
  reference(name: string): string {
    return `localhost:${this.port}/${name}`;
  }

  /** Pushes the image of an OCI layout (all of its platforms) under `name`, as in `library/busybox:latest`. */
  async push(layout: string, name: string): Promise<void> {
    const skopeo = ['--insecure-policy', 'copy', '--quiet', '--all', '--preserve-digests', '--dest-tls-verify=false'];
    const credentials = ['--dest-creds', `${account.name}:${account.password}`];
    await output('skopeo', [...skopeo, ...credentials, `oci:${layout}:latest`, `docker://${this.reference(name)}`]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.kill();
    await this.#server.result.catch(() => undefined);
    if (existsSync(this.#folder)) await rm(this.#folder, { recursive: true, force: true });
  }
}
