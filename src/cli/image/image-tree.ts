/** `images --tree`: below each image its names, its platform and its layers. */
import { readLayerSize } from '../../image/queries/image-history.ts';
import type { ImageStore, ImageUsers } from '../../image/image-store.ts';
import { formatPlatform } from '../../image/platform.ts';
import { storeUsage } from '../../image/store/disk-usage.ts';
import { formatSize } from '../output/size.ts';
import { alignColumns } from '../output/table.ts';
import type { ListedImage } from './image-filters.ts';

/** @param truncate twelve digits of ids */
export function imageTree(
  store: ImageStore,
  listed: readonly ListedImage[],
  users: ImageUsers,
  truncate: boolean,
): string[] {
  const usage = new Map(storeUsage(store).images.map((each) => [each.id, each]));
  function short(digest: string): string {
    const hex = digest.slice('sha256:'.length);
    return truncate ? hex.slice(0, 12) : digest;
  }
  const rows = listed.flatMap(({ image, name }) => {
    const used = users.has(image.id) ? 'U' : '';
    const size = usage.get(image.id)?.size ?? 0;
    const { platform, diffIds } = image.config;
    const layers = diffIds.map((diffId, index) => {
      const branch = index === diffIds.length - 1 ? '└─' : '├─';
      return `   ${branch} layer\t${short(diffId)}\t\t${formatSize(readLayerSize(store, diffId))}\t`;
    });
    return [
      `${name.repository}:${name.tag}\t${short(image.id)}\t${formatSize(size)}\t${formatSize(image.size)}\t${used}`,
      `└─ ${formatPlatform(platform)}\t${short(image.manifestDigest)}\t\t${formatSize(image.size)}\t${used}`,
      ...layers,
    ];
  });
  return alignColumns(['IMAGE\tID\tDISK USAGE\tCONTENT SIZE\tEXTRA', ...rows]);
}
