/** The push side of the registry for tests: blobs in one upload or several, mounts, manifests. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { digestOf } from '../digest.ts';
import type { FakeRegistry } from './fake-registry.ts';

export class FakeUploads {
  readonly #registry: FakeRegistry;
  readonly #uploads = new Map<string, Buffer[]>();
  #next = 1;
  /** Connections that are cut after so many bytes of an upload, one for each number. */
  readonly cuts: number[] = [];

  constructor(registry: FakeRegistry) {
    this.#registry = registry;
  }

  /** Answers what belongs to a push; false for anything else. */
  serve(request: IncomingMessage, response: ServerResponse): boolean {
    const url = new URL(request.url ?? '/', 'http://x');
    const match = /^\/v2\/(.+)\/blobs\/uploads\/([0-9]*)$/.exec(url.pathname);
    if (match) {
      void this.#upload(request, response, url, match[1]!, match[2]!);
      return true;
    }
    const manifest = /^\/v2\/(.+)\/manifests\/([^/]+)$/.exec(url.pathname);
    if (request.method !== 'PUT' || !manifest) return false;
    void this.#manifest(request, response, manifest[1]!, manifest[2]!);
    return true;
  }

  async #upload(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    repository: string,
    id: string,
  ): Promise<void> {
    const known = this.#uploads.get(id);
    if (request.method === 'POST') {
      const mount = url.searchParams.get('mount');
      if (mount !== null && this.#registry.hasBlob(mount)) {
        this.#registry.link(repository, mount);
        return void response.writeHead(201).end();
      }
      const next = String(this.#next++);
      this.#uploads.set(next, []);
      return void response.writeHead(202, { location: `/v2/${repository}/blobs/uploads/${next}` }).end();
    }
    if (!known) return void response.writeHead(404).end();
    const location = { location: `/v2/${repository}/blobs/uploads/${id}?state=x` };
    const size = known.reduce((sum, part) => sum + part.length, 0);
    if (request.method === 'GET') {
      return void response.writeHead(204, { ...location, range: `0-${Math.max(size - 1, 0)}` }).end();
    }
    if (request.method === 'DELETE') return void response.writeHead(204).end();
    if (request.method === 'PATCH') {
      const start = Number(/^([0-9]+)-/.exec(request.headers['content-range'] ?? '0-')?.[1]);
      if (start !== size) return void response.writeHead(416).end();
      let left = this.cuts.shift() ?? Infinity;
      for await (const chunk of request as AsyncIterable<Buffer>) {
        known.push(chunk.subarray(0, left));
        left -= chunk.length;
        if (left <= 0) return void request.socket.destroy();
      }
      return void response.writeHead(202, location).end();
    }
    const blob = Buffer.concat(known);
    if (digestOf(blob) !== url.searchParams.get('digest')) return void response.writeHead(400).end();
    this.#uploads.delete(id);
    this.#registry.link(repository, this.#registry.addBlob(blob));
    response.writeHead(201).end();
  }

  async #manifest(request: IncomingMessage, response: ServerResponse, repository: string, tag: string): Promise<void> {
    const bytes = await buffer(request);
    const digest = this.#registry.addManifestBytes(repository, bytes, request.headers['content-type'] ?? '', tag);
    response.writeHead(201, { 'docker-content-digest': digest }).end();
  }
}
