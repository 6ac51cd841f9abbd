import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { openRequest } from '../../agent/client.ts';
import { runProgram } from '../program.ts';
import type { Surroundings } from '../surroundings.ts';

interface Asked {
  readonly method: string;
  readonly params: unknown;
}

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What the agent was asked for, in order. */
  readonly asked: readonly Asked[];
}

/** Runs command lines in a state folder of its own, before an agent that a test speaks for. */
export class FakeTerminal implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'trun-cli-'));
  readonly root = join(this.folder, 'root');
  /** Answers the agent's requests by method; throws what the engine throws. */
  answer: (method: string, params: never) => unknown = () => ({ warnings: [] });

  async trun(...words: readonly string[]): Promise<Outcome> {
    const [stdout, stderr] = [new Sink(), new Sink()];
    const asked: Asked[] = [];
    const surroundings: Surroundings = {
      env: { HOME: this.folder, TRUN_ROOT: this.root, EXPORTED: 'from the host' },
      cwd: this.folder,
      stdin: new PassThrough() as never,
      stdout: stdout as never,
      stderr: stderr as never,
      now: () => new Date('2026-11-20T12:00:00Z'),
      openRequest: ((_paths: unknown, method: string, params: never) => {
        asked.push({ method, params });
        return Promise.resolve().then(() => ({
          result: this.answer(method, params),
          next: () => Promise.resolve({ exitCode: 0 }),
          close: () => Promise.resolve(),
        }));
      }) as unknown as typeof openRequest,
    };
    const status = await runProgram(words, surroundings);
    return { status, stdout: stdout.text, stderr: stderr.text, asked };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

class Sink {
  text = '';

  write(piece: string | Buffer): true {
    this.text += piece.toString();
    return true;
  }
}
