/** Docker's archive: manifest.json is a list of `{Config, RepoTags, Layers}`, whose paths are members of the archive. */
import { commitImage } from '../commit-image.ts';
import { parseImageConfig } from '../config.ts';
import { ImageError } from '../image-error.ts';
import { isObject, optionalString, optionalStrings } from '../json.ts';
import { CONFIG_LIMIT, type Descriptor } from '../manifest.ts';
import { familiarReference, parseReference, withDefaultTag } from '../reference.ts';
import { storeMember, type Load } from './load-layer.ts';
import type { LoadedImage } from './load-images.ts';

export async function loadDockerImages(load: Load): Promise<LoadedImage[]> {
  const { store, files } = load;
  const loaded: LoadedImage[] = [];
  for (const item of listItems(files.read('manifest.json'))) {
    const config = files.read(item.config, CONFIG_LIMIT);
    const references = item.tags.map((tag) => withDefaultTag(parseReference(tag)));
    const shownAs = references[0] ? familiarReference(references[0]) : item.config;
    const { diffIds, platform } = parseImageConfig(config, shownAs);
    if (platform.os !== 'linux') {
      throw new ImageError('UNSUPPORTED', `${shownAs} is an image for ${platform.os}, not for linux`);
    }
    if (diffIds.length !== item.layers.length) {
      const text = `${shownAs} has ${item.layers.length} layers, but its config lists ${diffIds.length}`;
      throw new ImageError('INVALID', text);
    }
    const layers: Descriptor[] = [];
    for (const [index, path] of item.layers.entries()) {
      layers.push(await storeMember(load, files.get(path), diffIds[index]!));
    }
    const { id } = await commitImage(store, { config, layers, references });
    loaded.push({ id, names: references.map(familiarReference) });
  }
  return loaded;
}

interface Item {
  readonly config: string;
  readonly tags: readonly string[];
  readonly layers: readonly string[];
}

function listItems(bytes: Buffer): Item[] {
  const what = "The archive's manifest.json";
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString());
  } catch (cause) {
    throw new ImageError('INVALID', `${what} is not JSON`, { cause });
  }
  if (!Array.isArray(document)) throw new ImageError('INVALID', `${what} is not a list`);
  return document.map((each) => {
    if (!isObject(each)) throw new ImageError('INVALID', `${what} is malformed`);
    const config = optionalString(each['Config'], `${what}: Config`);
    if (config === undefined) throw new ImageError('INVALID', `${what} names no config`);
    return {
      config,
      tags: optionalStrings(each['RepoTags'], `${what}: RepoTags`) ?? [],
      layers: optionalStrings(each['Layers'], `${what}: Layers`) ?? [],
    };
  });
}
