import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { FileType } from '../../src/index.ts';
import { openUnion, type OpenUnionOptions } from '../../src/overlay/open-union.ts';
import { MemoryLayer } from './memory-layer.ts';
import { UnionClient } from './union-client.ts';

/** A union for each test, over a small lower layer, without a kernel. */
export class UnionBed {
  dir = '';
  layer: MemoryLayer = new MemoryLayer();
  client!: UnionClient;

  begin(): void {
    this.dir = mkdtempSync(join(tmpdir(), 'union-'));
    const layer = (this.layer = new MemoryLayer());
    const etc = layer.add(layer.rootNode, 'etc', FileType.directory | 0o755);
    const passwd = layer.add(etc, 'passwd', FileType.file | 0o4755, { content: Buffer.from('root:x:0') });
    passwd.xattrs.set('security.capability', Buffer.from('cap'));
    layer.link(etc, 'again', passwd);
    const skel = layer.add(etc, 'skel', FileType.directory | 0o755);
    layer.add(skel, 'profile', FileType.file | 0o644, { content: Buffer.from('PS1') });
    this.client = this.open();
  }

  end(): void {
    this.client.fs.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  open(more: Partial<OpenUnionOptions> = {}, upper = 'upper'): UnionClient {
    return new UnionClient(openUnion({ lower: this.layer, upperDir: join(this.dir, upper), ...more }));
  }

  /** A successor works on the folder as it is now. */
  takeOver(): void {
    const [upper, copy] = [join(this.dir, 'upper'), join(this.dir, 'copy')];
    cpSync(upper, copy, { recursive: true });
    this.client.fs.close();
    rmSync(upper, { recursive: true });
    cpSync(copy, upper, { recursive: true });
    rmSync(copy, { recursive: true });
    this.client = this.open({ takeover: true });
  }
}

export function useUnion(): UnionBed {
  const bed = new UnionBed();
  beforeEach(() => {
    bed.begin();
  });
  afterEach(() => {
    bed.end();
  });
  return bed;
}
