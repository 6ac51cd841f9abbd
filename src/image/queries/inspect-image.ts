import type { ImageStore } from '../image-store.ts';
import { resolveImage } from './list-images.ts';

/** What `docker image inspect` prints for one image. */
export function inspectImage(store: ImageStore, text: string): object {
  const image = resolveImage(store, text);
  const { platform, diffIds, author, history, document } = image.config;
  return {
    Id: image.id,
    RepoTags: image.repoTags,
    RepoDigests: image.repoDigests,
    Parent: '',
    Comment: history.at(-1)?.comment ?? '',
    Created: image.created ?? null,
    DockerVersion: typeof document['docker_version'] === 'string' ? document['docker_version'] : '',
    Author: author ?? '',
    Config: document['config'] ?? {},
    Architecture: platform.architecture,
    ...(platform.variant !== undefined && { Variant: platform.variant }),
    Os: platform.os,
    Size: image.size,
    GraphDriver: { Name: 'fuse-overlay', Data: { Tree: image.treePath, Files: image.filesDir } },
    RootFS: { Type: 'layers', Layers: diffIds },
    Metadata: { LastTagTime: image.taggedAt ?? '0001-01-01T00:00:00Z' },
    Descriptor: {
      mediaType: image.manifest.mediaType,
      digest: image.manifestDigest,
      size: image.manifestSize,
    },
  };
}
