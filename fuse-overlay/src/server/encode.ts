/** Attributes and entries in their wire form. */
import { structs } from '../protocol/structs.ts';
import type { Attributes, Entry } from './attributes.ts';
import { putWide } from '../protocol/wide.ts';

const attr = structs.attr.at;
const entryOut = structs.entryOut.at;
const attrOut = structs.attrOut.at;

function encodeAttributes(view: DataView, at: number, from: Attributes, nodeId: number): void {
  putWide(view, at + attr.ino, from.ino || nodeId);
  putWide(view, at + attr.size, from.size);
  putWide(view, at + attr.blocks, from.blocks);
  putWide(view, at + attr.atime, from.atime);
  putWide(view, at + attr.mtime, from.mtime);
  putWide(view, at + attr.ctime, from.ctime);
  view.setUint32(at + attr.atimensec, from.atimeNsec, true);
  view.setUint32(at + attr.mtimensec, from.mtimeNsec, true);
  view.setUint32(at + attr.ctimensec, from.ctimeNsec, true);
  view.setUint32(at + attr.mode, from.mode, true);
  view.setUint32(at + attr.nlink, from.nlink, true);
  view.setUint32(at + attr.uid, from.uid, true);
  view.setUint32(at + attr.gid, from.gid, true);
  view.setUint32(at + attr.rdev, from.rdev, true);
  view.setUint32(at + attr.blksize, from.blksize, true);
  view.setUint32(at + attr.flags, 0, true);
}

export function encodeEntry(view: DataView, at: number, entry: Entry): void {
  putWide(view, at + entryOut.nodeid, entry.nodeId);
  putWide(view, at + entryOut.generation, entry.generation);
  putTimeout(view, at + entryOut.entry_valid, at + entryOut.entry_valid_nsec, entry.entryTimeout);
  putTimeout(view, at + entryOut.attr_valid, at + entryOut.attr_valid_nsec, entry.attrTimeout);
  encodeAttributes(view, at + entryOut.attr, entry.attributes, entry.nodeId);
}

/** `struct fuse_attr_out`. */
export function encodeAttrOut(view: DataView, at: number, entry: Entry, nodeId: number): void {
  putTimeout(view, at + attrOut.attr_valid, at + attrOut.attr_valid_nsec, entry.attrTimeout);
  view.setUint32(at + attrOut.dummy, 0, true);
  encodeAttributes(view, at + attrOut.attr, entry.attributes, nodeId);
}

function putTimeout(view: DataView, secondsAt: number, nsecAt: number, timeout: number): void {
  const seconds = Math.floor(timeout);
  putWide(view, secondsAt, seconds);
  view.setUint32(nsecAt, Math.floor((timeout - seconds) * 1e9), true);
}
