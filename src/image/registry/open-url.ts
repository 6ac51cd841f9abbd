import { ImageError } from '../image-error.ts';
import { HttpClient } from './http.ts';
import { connectionError } from './registry-error.ts';

/** What a URL has to give, redirects followed and proxies of `env` used. Throws NOT_FOUND or UNAVAILABLE. */
export async function openUrl(url: URL, env: NodeJS.ProcessEnv): Promise<AsyncIterable<Buffer>> {
  const http = new HttpClient({ insecure: false, idleTimeout: 60_000, env });
  let response;
  try {
    response = await http.send({ method: 'GET', url, headers: {} }, undefined);
  } catch (error) {
    http.close();
    throw error instanceof ImageError ? error : connectionError(url.host, error);
  }
  response.body.once('close', () => http.close());
  if (response.status === 200) return response.body;
  response.body.destroy();
  const code = response.status === 404 ? 'NOT_FOUND' : 'UNAVAILABLE';
  throw new ImageError(code, `Cannot download ${url.href}: the server answered with status ${response.status}`);
}
