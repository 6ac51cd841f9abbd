/** An image as `images` shows it: a row for each of its tags. */
import type { StoredImage } from '../../image/queries/stored-images.ts';
import { formatAge, formatTime } from '../output/duration.ts';
import type { Row, TableLayout } from '../output/row-format.ts';
import { formatSize } from '../output/size.ts';

const NONE = '<none>';

export function imageTable(digests: boolean): TableLayout {
  return {
    template: `{{.Repository}}\t{{.Tag}}${digests ? '\t{{.Digest}}' : ''}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`,
    headers: {
      ID: 'IMAGE ID',
      Repository: 'REPOSITORY',
      Tag: 'TAG',
      Digest: 'DIGEST',
      CreatedSince: 'CREATED',
      CreatedAt: 'CREATED AT',
      Size: 'SIZE',
      VirtualSize: 'SIZE',
      SharedSize: 'SHARED SIZE',
      UniqueSize: 'UNIQUE SIZE',
      Containers: 'CONTAINERS',
    },
  };
}

/** A name of an image, taken apart. */
export interface ImageName {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

/** The names under which an image is listed. */
export function imageNames({ repoTags, repoDigests }: StoredImage): ImageName[] {
  const digests = repoDigests.map((name) => {
    const at = name.lastIndexOf('@');
    return { repository: name.slice(0, at), digest: name.slice(at + 1) };
  });
  const tags = repoTags.map((name) => {
    const colon = name.lastIndexOf(':');
    const repository = name.slice(0, colon);
    const digest = digests.find((each) => each.repository === repository)?.digest ?? NONE;
    return { repository, tag: name.slice(colon + 1), digest };
  });
  const tagged = new Set(tags.map(({ repository }) => repository));
  const untagged = digests
    .filter(({ repository }) => !tagged.has(repository))
    .map(({ repository, digest }) => ({ repository, tag: NONE, digest }));
  const names = [...tags, ...untagged];
  return names.length > 0 ? names : [{ repository: NONE, tag: NONE, digest: NONE }];
}

/** @param truncate twelve digits of the id */
export function imageRow(image: StoredImage, name: ImageName, now: Date, truncate: boolean): Row {
  const size = formatSize(image.size);
  return {
    Containers: 'N/A',
    CreatedAt: image.created === undefined ? 'N/A' : formatTime(image.created),
    CreatedSince: image.created === undefined ? 'N/A' : formatAge(image.created, now),
    Digest: name.digest,
    ID: truncate ? image.id.slice('sha256:'.length).slice(0, 12) : image.id,
    Repository: name.repository,
    SharedSize: 'N/A',
    Size: size,
    Tag: name.tag,
    UniqueSize: 'N/A',
    VirtualSize: size,
  };
}
