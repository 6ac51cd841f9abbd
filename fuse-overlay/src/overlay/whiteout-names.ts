/** How a layer says that a name of a lower one is gone, where it has no device 0:0 for that (OCI image-spec, layer.md). */
export const whiteoutPrefix = '.wh.';
/** In a directory: nothing of the lower one shows. */
export const opaqueMarker = '.wh..wh..opq';
