/**
 * Statements about an image (in-toto attestations), as BuildKit attaches them: a manifest of their own in the index, whose
 * annotations say which image it is about.
 */
import { digestHex, digestOf, type Digest } from '../../image/digest.ts';
import { mediaTypes, type Descriptor } from '../../image/manifest.ts';
import { formatPlatform } from '../../image/platform.ts';
import type { BuildSession } from '../session.ts';
import type { TreeView } from '../source/tree-view.ts';
import { packageDocument } from './package-list.ts';
import type { ImageDocuments } from './image-documents.ts';

export interface Attestation {
  /** For the index: with the platform `unknown/unknown`, so that nobody takes it for an image. */
  readonly descriptor: Descriptor;
  readonly manifest: Buffer;
  /** What the manifest names. */
  readonly blobs: readonly Buffer[];
}

const STATEMENT = 'application/vnd.in-toto+json';
const PROVENANCE = 'https://slsa.dev/provenance/v0.2';
const SPDX = 'https://spdx.dev/Document';

/** What has been asked for about an image; undefined where nothing has. */
export function attest(session: BuildSession, image: ImageDocuments, view: TreeView): Attestation | undefined {
  const { provenance, sbom } = session.request;
  const statements: { type: string; bytes: Buffer }[] = [];
  if (sbom) statements.push(statement(image, SPDX, packageDocument(view, image.manifest.digest)));
  if (provenance) statements.push(statement(image, PROVENANCE, provenanceOf(session, image)));
  if (statements.length === 0) return undefined;
  const layers = statements.map(({ type, bytes }) => ({
    ...{ mediaType: STATEMENT, digest: digestOf(bytes), size: bytes.length },
    annotations: { 'in-toto.io/predicate-type': type },
  }));
  const config = json({
    architecture: 'unknown',
    os: 'unknown',
    config: {},
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length },
    layers,
  });
  const descriptor = {
    ...{ mediaType: mediaTypes.ociManifest, digest: digestOf(manifest), size: manifest.length },
    annotations: {
      'vnd.docker.reference.digest': image.manifest.digest,
      'vnd.docker.reference.type': 'attestation-manifest',
    },
    platform: { architecture: 'unknown', os: 'unknown' },
  };
  return { descriptor, manifest, blobs: [...statements.map(({ bytes }) => bytes), config] };
}

function statement({ manifest }: ImageDocuments, type: string, predicate: object): { type: string; bytes: Buffer } {
  const subject = [{ name: '_', digest: { sha256: digestHex(manifest.digest) } }];
  return { type, bytes: json({ _type: 'https://in-toto.io/Statement/v0.1', predicateType: type, subject, predicate }) };
}

/** Which images it stands on, and which Dockerfile and arguments made it. Values of arguments may be secrets: names alone. */
function provenanceOf({ request, materials }: BuildSession, { platform }: ImageDocuments): object {
  return {
    builder: { id: '' },
    buildType: 'https://mobyproject.org/buildkit@v1',
    materials: materials.map(({ name, platform: of, digest }) => ({
      uri: `pkg:docker/${name}?platform=${encodeURIComponent(of)}`,
      digest: { sha256: digestHex(digest as Digest) },
    })),
    invocation: {
      configSource: { entryPoint: request.file ?? 'Dockerfile' },
      parameters: {
        frontend: 'dockerfile.v0',
        args: {
          ...(request.target === undefined ? {} : { target: request.target }),
          ...Object.fromEntries([...request.buildArgs.keys()].map((name) => [`build-arg:${name}`, ''])),
        },
      },
      environment: { platform: formatPlatform(platform) },
    },
    metadata: {
      completeness: { parameters: false, environment: true, materials: false },
      reproducible: request.rewriteTimestamp,
    },
  };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
