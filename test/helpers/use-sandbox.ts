import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type ImageName, imageReference, startImageRegistry } from './images.ts';
import type { Registry } from './registry.ts';
import { type Requirement, unmet } from './requirements.ts';
import { Sandbox } from './sandbox.ts';

interface Setup {
  readonly images?: readonly ImageName[];
  readonly requires?: readonly Requirement[];
}

/** A sandbox together with a registry that holds the fixture images; the named ones are pulled. */
class TestBed {
  #sandbox: Sandbox | undefined;
  #registry: Registry | undefined;

  /** The sandbox, from the first `beforeAll` on. */
  get box(): Sandbox {
    return this.#sandbox!;
  }

  /** Whether the machine has what the tests need, so that there is a sandbox. */
  get isOpen(): boolean {
    return this.#sandbox !== undefined;
  }

  get registry(): Registry {
    return this.#registry!;
  }

  /** A reference to a fixture image that `trun` can pull. */
  image(name: ImageName): string {
    return imageReference(this.registry, name);
  }

  async open(images: readonly ImageName[]): Promise<void> {
    this.#sandbox = new Sandbox();
    if (images.length === 0) return;
    this.#registry = await startImageRegistry(images);
    for (const name of images) await this.#sandbox.ok(['pull', '-q', this.image(name)], { timeout: 120_000 });
  }

  async close(): Promise<void> {
    await this.#registry?.[Symbol.asyncDispose]();
    await this.#sandbox?.[Symbol.asyncDispose]();
  }
}

/**
 * Called once at the top of a test file: gives its tests one sandbox, or skips them all, with the reason, where the
 * machine lacks what they need. After the last test nothing of any container may be left.
 */
export function useSandbox({ images = [], requires = [] }: Setup = {}): TestBed {
  const bed = new TestBed();
  const fixtures: Requirement[] = images.length > 0 ? ['docker-registry', 'skopeo', 'busybox'] : [];
  if (images.includes('debian')) fixtures.push('debian-image');
  const needs: Requirement[] = ['user-namespaces', 'dev-fuse', ...fixtures, ...requires];
  beforeAll(async () => {
    if ((await unmet(needs)) === undefined) await bed.open(images);
  }, 300_000);
  beforeEach(async ({ skip }) => {
    const reason = await unmet(needs);
    if (reason !== undefined) skip(reason);
  });
  afterAll(() => bed.close(), 120_000);
  return bed;
}
