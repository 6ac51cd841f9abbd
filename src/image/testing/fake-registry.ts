/**
 * A registry for tests that serves what it is given over loopback http, and misbehaves on request: each request passes through
 * `onRequest` first, which may answer it in its own way.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { digestOf, type Digest } from '../digest.ts';
import { mediaTypes, type Descriptor } from '../manifest.ts';
import { FakeUploads } from './fake-uploads.ts';

/** Bytes that a slow registry sends at once. */
const PIECE = 32 * 1024;

/** Returns true where it has answered (or torn down) the request itself. */
export type OnRequest = (request: IncomingMessage, response: ServerResponse) => boolean;

interface Stored {
  readonly bytes: Buffer;
  readonly mediaType: string;
}

export interface FakeImage {
  readonly manifestDigest: Digest;
  readonly configDigest: Digest;
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly Digest[];
}

export interface FakeImageOptions {
  /** Plain archives, lowest first. */
  readonly layers: readonly Buffer[];
  readonly architecture?: string;
  readonly config?: object;
  /** How a layer is packed; default gzip. */
  readonly compress?: (tar: Buffer) => { bytes: Buffer; mediaType: string };
  /** Last changes to the documents. */
  readonly editConfig?: (config: Record<string, unknown>) => void;
  readonly editManifest?: (manifest: Record<string, unknown>) => void;
}

export class FakeRegistry implements AsyncDisposable {
  readonly #server: Server;
  readonly #manifests = new Map<string, Stored>();
  readonly #blobs = new Map<string, Buffer>();
  /** `GET /v2/…` of all requests, in order. */
  readonly log: string[] = [];
  readonly headers: IncomingMessage['headers'][] = [];
  onRequest: OnRequest = () => false;
  readonly uploads = new FakeUploads(this);
  #pace: number | undefined;
  /** When the line is free again. */
  #free = 0;
  /** Repositories that blobs were pushed to: to a HEAD request, other blobs are not there. */
  readonly #linked = new Map<string, Set<string>>();

  private constructor() {
    this.#server = createServer((request, response) => this.#serve(request, response));
  }

  static async start(): Promise<FakeRegistry> {
    const registry = new FakeRegistry();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    registry.#server.listen(0, '127.0.0.1', () => resolve(undefined));
    await promise;
    return registry;
  }

  /** `127.0.0.1:PORT` */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#server.close(() => resolve(undefined));
    await promise;
  }

  addBlob(bytes: Buffer): Digest {
    const digest = digestOf(bytes);
    this.#blobs.set(digest, bytes);
    return digest;
  }

  /** Serves other bytes under a digest than its own. */
  corruptBlob(digest: Digest, bytes: Buffer): void {
    this.#blobs.set(digest, bytes);
  }

  hasBlob(digest: string): boolean {
    return this.#blobs.has(digest);
  }

  /** From now on a repository has this blob. */
  link(repository: string, digest: string): void {
    const linked = this.#linked.get(repository) ?? new Set();
    this.#linked.set(repository, linked.add(digest));
  }

  addManifestBytes(repository: string, bytes: Buffer, mediaType: string, tag?: string): Digest {
    const digest = digestOf(bytes);
    for (const name of [digest, ...(tag === undefined ? [] : [tag])]) {
      this.#manifests.set(`${repository}:${name}`, { bytes, mediaType });
    }
    return digest;
  }

  addManifest(repository: string, document: object, mediaType: string, tag?: string): Descriptor {
    const bytes = Buffer.from(JSON.stringify(document));
    const digest = this.addManifestBytes(repository, bytes, mediaType, tag);
    return { mediaType, digest, size: bytes.length };
  }

  addImage(
    repository: string,
    tag: string | undefined,
    options: FakeImageOptions,
  ): FakeImage & { descriptor: Descriptor } {
    const pack = options.compress ?? packGzip;
    const layers = options.layers.map((tar) => {
      const { bytes, mediaType } = pack(tar);
      return { mediaType, digest: this.addBlob(bytes), size: bytes.length };
    });
    const diffIds = options.layers.map((tar) => digestOf(tar));
    const config: Record<string, unknown> = {
      architecture: options.architecture ?? 'amd64',
      os: 'linux',
      created: '2024-01-02T03:04:05Z',
      config: options.config ?? { Cmd: ['sh'] },
      rootfs: { type: 'layers', diff_ids: diffIds },
      history: diffIds.map((_, index) => ({ created_by: `layer ${index}` })),
    };
    options.editConfig?.(config);
    const configBytes = Buffer.from(JSON.stringify(config));
    const configDigest = this.addBlob(configBytes);
    const manifest: Record<string, unknown> = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: configDigest, size: configBytes.length },
      layers,
    };
    options.editManifest?.(manifest);
    const descriptor = this.addManifest(repository, manifest, mediaTypes.ociManifest, tag);
    return { manifestDigest: descriptor.digest, configDigest, layers, diffIds, descriptor };
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    this.log.push(`${request.method} ${request.url}`);
    this.headers.push(request.headers);
    if (this.onRequest(request, response)) return;
    const path = new URL(request.url ?? '/', 'http://x').pathname;
    if (path === '/v2/') return void response.writeHead(200).end('{}');
    if (this.uploads.serve(request, response)) return;
    const tags = /^\/v2\/(.+)\/tags\/list$/.exec(path)?.[1];
    if (tags !== undefined) return this.#serveTags(response, tags);
    const match = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path);
    if (match?.[2] === 'manifests') this.#serveManifest(request, response, `${match[1]!}:${match[3]!}`);
    else if (match?.[2] === 'blobs' && request.method === 'HEAD') {
      const isThere = this.#linked.get(match[1]!)?.has(match[3]!) === true;
      response.writeHead(isThere ? 200 : 404).end();
    } else if (match?.[2] === 'blobs') this.serveBlob(request, response, match[3]!);
    else sendError(response, 404, 'NOT_FOUND', 'page not found');
  }

  /** Serves all blobs together at no more than this many bytes a second. */
  slowTo(bytesPerSecond: number): void {
    this.#pace = bytesPerSecond;
  }

  async #send(response: ServerResponse, bytes: Buffer, pace: number): Promise<void> {
    for (let at = 0; at < bytes.length && !response.destroyed; at += PIECE) {
      const now = performance.now();
      this.#free = Math.max(this.#free, now) + (PIECE / pace) * 1000;
      await sleep(this.#free - now);
      response.write(bytes.subarray(at, at + PIECE));
    }
    response.end();
  }

  #serveTags(response: ServerResponse, repository: string): void {
    const names = [...this.#manifests.keys()].filter((key) => key.startsWith(`${repository}:`));
    const tags = names.map((key) => key.slice(repository.length + 1)).filter((name) => !name.startsWith('sha256:'));
    response.end(JSON.stringify({ name: repository, tags }));
  }

  #serveManifest(request: IncomingMessage, response: ServerResponse, key: string): void {
    const stored = this.#manifests.get(key);
    if (!stored) return sendError(response, 404, 'MANIFEST_UNKNOWN', 'manifest unknown');
    const { bytes, mediaType } = stored;
    response.writeHead(200, {
      'content-type': mediaType,
      'content-length': bytes.length,
      'docker-content-digest': digestOf(bytes),
    });
    response.end(request.method === 'HEAD' ? undefined : bytes);
  }

  /** Answers for a blob, ranges included. */
  serveBlob(request: IncomingMessage, response: ServerResponse, digest: string): void {
    const bytes = this.#blobs.get(digest);
    if (!bytes) return sendError(response, 404, 'BLOB_UNKNOWN', 'blob unknown to registry');
    const range = /^bytes=([0-9]+)-([0-9]*)$/.exec(request.headers.range ?? '');
    const start = range ? Number(range[1]) : 0;
    const end = range?.[2] ? Number(range[2]) + 1 : bytes.length;
    response.writeHead(range ? 206 : 200, {
      'content-length': end - start,
      ...(range && { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` }),
    });
    if (this.#pace === undefined) response.end(bytes.subarray(start, end));
    else void this.#send(response, bytes.subarray(start, end), this.#pace);
  }
}

export function sendError(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
}

function packGzip(tar: Buffer): { bytes: Buffer; mediaType: string } {
  return { bytes: gzipSync(tar), mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' };
}
