import { matchesGlob } from 'node:path';
import type { StoredImage } from '../../image/queries/stored-images.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { type FilterTest, filterBoolean, matchesLabel } from '../filters.ts';
import type { ImageName } from './image-row.ts';

/** An image under one of its names. */
export interface ListedImage {
  readonly image: StoredImage;
  readonly name: ImageName;
}

/** The filters of `images`. @param all what `before` and `since` may name */
export function imageFilters(all: readonly StoredImage[]): Readonly<Record<string, FilterTest<ListedImage>>> {
  function named(key: string, value: string): number {
    const image = all.find((each) => isImage(each, value));
    if (image === undefined) throw new InvalidInput(`invalid filter '${key}=${value}': No such image: ${value}`);
    return created(image);
  }
  return {
    before: ({ image }, value) => created(image) < named('before', value),
    dangling: ({ name }, value) => (name.tag === '<none>') === filterBoolean('dangling', value),
    label: ({ image }, value) => matchesLabel(image.config.config.Labels ?? {}, value),
    reference: ({ name }, value) => matchesName(name, value),
    since: ({ image }, value) => created(image) > named('since', value),
  };
}

function created(image: StoredImage): number {
  return Date.parse(image.created ?? '') || 0;
}

function isImage({ id, repoTags }: StoredImage, value: string): boolean {
  const names = [value, `${value}:latest`];
  return repoTags.some((tag) => names.includes(tag)) || id === value || id.slice('sha256:'.length).startsWith(value);
}

/** Against `REPOSITORY[:TAG]`, in which `*` and `?` stand for what they do in file names. */
export function matchesName({ repository, tag }: ImageName, pattern: string): boolean {
  const colon = /:[^/:]*$/.exec(pattern);
  const [wanted, wantedTag] = colon === null ? [pattern, '*'] : [pattern.slice(0, colon.index), colon[0].slice(1)];
  return matchesGlob(repository, wanted) && (colon === null || matchesGlob(tag, wantedTag));
}
