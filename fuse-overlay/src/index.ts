export { Attributes, Entry, FileType, deviceMajor, deviceMinor, makeDevice } from './server/attributes.ts';
export { Name } from './server/name.ts';
export {
  NO_HANDLE,
  Opened,
  ROOT_NODE,
  StatFs,
  type AttributeChange,
  type Bytes,
  type DirectoryReply,
  type FileLock,
  type FileSystem,
  type Request,
  type SessionOptions,
} from './server/file-system.ts';
export type { ListVisitor, LowerLayer } from './layers/lower-layer.ts';
export {
  layerEntry,
  layerPath,
  parseWhiteout,
  type LayerEntry,
  type LayerEntryType,
  type Xattr,
} from './layers/layer.ts';
export { LayerListWriter, readLayerList } from './layers/layer-list.ts';
export { contentPath } from './layers/content-store.ts';
