/** Asks a file system by path, as libfuse's high-level interface has it: a LOOKUP for each name on the way. */
import type { OpcodeName } from '../../protocol/opcodes.ts';
import { structs } from '../../protocol/structs.ts';
import { ROOT_NODE } from '../../server/file-system.ts';
import { errno } from '../../sys/errors.ts';
import type { RequestQueue, Reply } from './request-queue.ts';

type StructName = keyof typeof structs;

/** A structure with these fields set, and zeros in the others. */
export function pack(name: StructName, values: Record<string, number>): Buffer {
  const { size, at, fields } = structs[name] as {
    size: number;
    at: Record<string, number>;
    fields: Record<string, unknown>;
  };
  const bytes = Buffer.alloc(size);
  for (const [field, value] of Object.entries(values)) {
    if (fields[field] === 'u64') bytes.writeBigInt64LE(BigInt(value), at[field]);
    else bytes.writeUInt32LE(value >>> 0, at[field]);
  }
  return bytes;
}

/** With the NUL that ends it. */
export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

/** A node and the attributes that its LOOKUP gave. */
export interface Found {
  readonly nodeId: number;
  /** `struct fuse_attr`. */
  readonly attributes: Buffer;
}

export class RequestError extends Error {
  /** Negative. */
  readonly code: number;

  constructor(code: number) {
    super(`the file system answered ${code}`);
    this.code = code;
  }
}

export class PathClient {
  readonly #queue: RequestQueue;

  constructor(queue: RequestQueue) {
    this.#queue = queue;
  }

  /** The payload of the reply. Throws RequestError. */
  async ask(opcode: OpcodeName, nodeId: number, ...body: readonly Buffer[]): Promise<Buffer> {
    const { error, payload }: Reply = await this.#queue.request(opcode, nodeId, ...body);
    if (error < 0) throw new RequestError(error);
    return payload;
  }

  /** Calls `use` with the node of a path, which is held as long. */
  async with<T>(path: string, use: (found: Found) => T | Promise<T>): Promise<T> {
    const held: number[] = [];
    try {
      let nodeId = ROOT_NODE;
      let attributes: Buffer | undefined;
      for (const name of path.split('/').filter(Boolean)) {
        const payload = await this.ask('LOOKUP', nodeId, text(name));
        nodeId = Number(payload.readBigUInt64LE(structs.entryOut.at.nodeid));
        if (nodeId === 0) throw new RequestError(-errno.ENOENT);
        held.push(nodeId);
        attributes = payload.subarray(structs.entryOut.at.attr);
      }
      attributes ??= (await this.ask('GETATTR', ROOT_NODE, pack('getattrIn', {}))).subarray(structs.attrOut.at.attr);
      return await use({ nodeId, attributes });
    } finally {
      for (const nodeId of held) this.#release(nodeId);
    }
  }

  /** Calls `use` with the node of the folder that a path lies in, and the last name. */
  within<T>(path: string, use: (folder: number, name: string) => Promise<T>): Promise<T> {
    const at = path.lastIndexOf('/');
    return this.with(path.slice(0, at), ({ nodeId }) => use(nodeId, path.slice(at + 1)));
  }

  /** A request whose reply counts a reference on the node that it names. */
  async make(opcode: OpcodeName, folder: number, ...body: readonly Buffer[]): Promise<void> {
    const payload = await this.ask(opcode, folder, ...body);
    this.#release(Number(payload.readBigUInt64LE(structs.entryOut.at.nodeid)));
  }

  #release(nodeId: number): void {
    void this.#queue.request('FORGET', nodeId, pack('forgetIn', { nlookup: 1 }));
  }
}
