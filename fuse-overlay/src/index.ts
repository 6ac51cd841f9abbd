export { Attributes, Entry, FileType, deviceMajor, deviceMinor, makeDevice } from './server/attributes.ts';
export { Name } from './server/name.ts';
export {
  NOT_YET,
  NO_HANDLE,
  Opened,
  ROOT_NODE,
  StatFs,
  type AttributeChange,
  type Bytes,
  type DirectoryReply,
  type FileLock,
  type FileSystem,
  type ReadRoom,
  type Request,
  type SessionOptions,
} from './server/file-system.ts';
export { Counters, histogramBuckets, type RequestStatistics } from './server/counters.ts';
export { EventLoop } from './server/event-loop.ts';
export { Notifier } from './server/notifier.ts';
export { serve } from './server/serve.ts';
export { Session, type ServeOptions } from './server/session.ts';
export { formatTrace, type TraceRecord } from './server/trace.ts';
export * as flags from './protocol/flags.ts';
export { DevFuse } from './transport/dev-fuse.ts';
export { mountFuse, unmountFuse, type MountFuseOptions } from './transport/mount-fuse.ts';
export {
  mountFuseNative,
  type FuseNativeMount,
  type MountFuseNativeOptions,
} from './transport/fuse-native/mount-fuse-native.ts';
export type { Transport } from './transport/transport.ts';
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
export { mergeLayers, type MergeResult } from './layers/merge-layers.ts';
export { contentPath } from './layers/content-store.ts';
export { ImageTree, imageTreeContents, openImageTree } from './layers/image-tree.ts';
export { ImageTreeFileSystem, type ImageTreeOptions } from './layers/image-tree-file-system.ts';
export { DirectoryLayer } from './layers/directory-layer.ts';
export { DirectoryFileSystem, type DirectoryOptions } from './layers/directory-file-system.ts';
export { exportLayer, exportUnion, openUnion, readChanges, type OpenUnionOptions } from './overlay/open-union.ts';
export { UnionFileSystem } from './overlay/union-file-system.ts';
export { exportOverlay, type OverlayExportOptions } from './overlay/export-overlay.ts';
export { MergedLower } from './overlay/merged-lower.ts';
export type { LayerExport } from './overlay/export-layer.ts';
export type { UnionChange } from './overlay/changes.ts';
export type { QuotaLimits } from './overlay/upper/quota.ts';
