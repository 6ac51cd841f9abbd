/**
 * A registry's push side: OCI distribution-spec v1.1, "Push". A blob goes up in one PATCH that is continued where it broke off: the
 * registry is asked how much it has.
 */
import type { Readable } from 'node:stream';
import { digestOf, isDigest, type Digest } from '../digest.ts';
import type { HttpResponse } from './http.ts';
import { RegistryError } from './registry-error.ts';
import type { RegistrySession } from './registry-session.ts';
import { waitOrGiveUp, type OnWait } from './retry.ts';

export interface BlobUpload {
  readonly repository: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** The content from an offset on. */
  readonly open: (start: number) => Readable;
  /** Bytes that have been sent. */
  readonly onProgress: (bytes: number) => void;
  readonly onWait: OnWait;
  readonly signal: AbortSignal | undefined;
}

export class RegistryUploader {
  readonly #session: RegistrySession;

  constructor(session: RegistrySession) {
    this.#session = session;
  }

  /** Whether the repository has the blob. */
  async hasBlob(repository: string, digest: Digest, signal: AbortSignal | undefined): Promise<boolean> {
    return this.#session.retrying(async () => {
      const target = `v2/${repository}/blobs/${digest}`;
      const request = { method: 'HEAD', target, scope: pushScope(repository) } as const;
      const response = await this.#session.request(request, signal);
      if (response.status === 404) {
        response.body.resume();
        return false;
      }
      return await this.#expect(response, [200], `Cannot push to ${this.#session.domain}/${repository}`, () => true);
    }, signal);
  }

  /** Has the registry take a blob from another of its repositories. False: it does not want to, or has not got it there. */
  async mountBlob(repository: string, digest: Digest, from: string, signal: AbortSignal | undefined): Promise<boolean> {
    const target = `v2/${repository}/blobs/uploads/?mount=${digest}&from=${encodeURIComponent(from)}`;
    const scope = `${pushScope(repository)} repository:${from}:pull`;
    return this.#session.retrying(async () => {
      const response = await this.#session.request(
        { method: 'POST', target, scope, headers: { 'content-length': '0' } },
        signal,
      );
      response.body.resume();
      // 202: it has opened an upload instead, which nobody will use.
      if (response.status === 202) await this.#cancel(repository, response, signal);
      return response.status === 201;
    }, signal);
  }

  /** Sends a blob. */
  async uploadBlob(upload: BlobUpload): Promise<void> {
    const { size, onProgress, onWait, signal } = upload;
    let location: URL | undefined;
    let sent = 0;
    for (let tried = 1; ; tried++) {
      const before = sent;
      try {
        if (location) ({ location, sent } = await this.#status(upload, location));
        location ??= await this.#begin(upload);
        onProgress(sent);
        if (sent < size || size === 0) location = await this.#send(upload, location, sent);
        await this.#finish(upload, location);
        onProgress(size);
        return;
      } catch (error) {
        // Patience is for a registry that takes nothing; one that takes a little each time gets there.
        if (sent > before) tried = 1;
        await waitOrGiveUp(error, tried, this.#session.retryPolicy, signal, onWait);
      }
    }
  }

  /** Stores a manifest under a tag or its digest, and returns what the registry calls it: its digest. */
  async putManifest(
    repository: string,
    reference: string,
    { bytes, mediaType }: { readonly bytes: Buffer; readonly mediaType: string },
    signal: AbortSignal | undefined,
  ): Promise<Digest> {
    const digest = digestOf(bytes);
    return this.#session.retrying(async () => {
      const response = await this.#session.request(
        {
          method: 'PUT',
          target: `v2/${repository}/manifests/${reference}`,
          scope: pushScope(repository),
          headers: { 'content-type': mediaType, 'content-length': String(bytes.length) },
          body: () => bytes,
        },
        signal,
      );
      const action = `Cannot push the manifest of ${this.#session.domain}/${repository}`;
      return this.#expect(response, [200, 201, 202], action, ({ headers }) => {
        const stated = headers['docker-content-digest'];
        if (!isDigest(stated) || stated === digest) return digest;
        throw new RegistryError('DAMAGED', `${action}: the registry took it for ${stated}, it is ${digest}`);
      });
    }, signal);
  }

  async #begin({ repository, signal }: BlobUpload): Promise<URL> {
    const target = `v2/${repository}/blobs/uploads/`;
    const headers = { 'content-length': '0' };
    const response = await this.#session.request(
      { method: 'POST', target, scope: pushScope(repository), headers },
      signal,
    );
    return this.#expect(response, [202], this.#action(repository), uploadLocation);
  }

  /** How much of an upload the registry has; without a location where it has forgotten it. */
  async #status(
    { repository, signal }: BlobUpload,
    location: URL,
  ): Promise<{ location: URL | undefined; sent: number }> {
    const request = { method: 'GET', target: location, scope: pushScope(repository) } as const;
    const response = await this.#session.request(request, signal);
    response.body.resume();
    if (response.status !== 204 && response.status !== 200) return { location: undefined, sent: 0 };
    const last = /^(?:bytes=)?0-([0-9]+)$/.exec(response.headers['range'] ?? '')?.[1];
    // distribution says 0-0 for nothing, too: at worst one byte more is sent than need be.
    const sent = last === undefined || last === '0' ? 0 : Number(last) + 1;
    return { location: response.headers.location === undefined ? location : uploadLocation(response), sent };
  }

  async #send(upload: BlobUpload, location: URL, start: number): Promise<URL> {
    const { repository, size, open, onProgress, signal } = upload;
    const response = await this.#session.request(
      {
        method: 'PATCH',
        target: location,
        scope: pushScope(repository),
        headers: {
          'content-type': 'application/octet-stream',
          'content-length': String(size - start),
          ...(start > 0 && { 'content-range': `${start}-${size - 1}` }),
        },
        body: () => counted(open(start), start, onProgress),
      },
      signal,
    );
    return this.#expect(response, [200, 201, 202, 204], this.#action(repository), uploadLocation);
  }

  async #finish({ repository, digest, signal }: BlobUpload, location: URL): Promise<void> {
    const target = new URL(location);
    target.searchParams.append('digest', digest);
    const headers = { 'content-length': '0' };
    const response = await this.#session.request(
      { method: 'PUT', target, scope: pushScope(repository), headers },
      signal,
    );
    await this.#expect(response, [200, 201, 204], this.#action(repository), () => undefined);
  }

  async #cancel(repository: string, response: HttpResponse, signal: AbortSignal | undefined): Promise<void> {
    try {
      const target = uploadLocation(response);
      const cancelled = await this.#session.request({ method: 'DELETE', target, scope: pushScope(repository) }, signal);
      cancelled.body.resume();
    } catch {
      // The registry forgets it by itself.
    }
  }

  #action(repository: string): string {
    return `Cannot push to ${this.#session.domain}/${repository}`;
  }

  async #expect<T>(
    response: HttpResponse,
    statuses: readonly number[],
    action: string,
    take: (response: HttpResponse) => T,
  ): Promise<T> {
    if (!statuses.includes(response.status)) throw await this.#session.failure(response, action);
    response.body.resume();
    return take(response);
  }
}

function pushScope(repository: string): string {
  return `repository:${repository}:pull,push`;
}

/** Where an upload goes on: relative or on another host, as the registry likes. */
function uploadLocation({ headers, url }: HttpResponse): URL {
  const location = URL.parse(headers.location ?? '', url.href);
  const isSafe = location?.protocol === 'https:' || (location?.protocol === 'http:' && url.protocol === 'http:');
  if (location && isSafe) return location;
  throw new RegistryError('INVALID', `${url.host} does not say where to send a blob to`);
}

function counted(source: Readable, start: number, onProgress: (bytes: number) => void): Readable {
  let sent = start;
  return source.on('data', (chunk: Buffer) => {
    sent += chunk.length;
    onProgress(sent);
  });
}
