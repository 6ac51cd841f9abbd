/**
 * A Dockerfile's text as instructions, before anybody knows what they mean: comments and blank lines are dropped,
 * continued lines joined, here-documents collected behind the instruction that opens them. A joined line remembers where
 * each of its pieces stood, so that whoever finds a mistake in it can name line and column.
 */
import { DockerfileError, type Position } from './dockerfile-error.ts';
import { findHeredocs, type Heredoc } from './heredoc.ts';

export interface LogicalLine {
  /** The instruction, joined, without surrounding blanks. */
  readonly text: string;
  /** As it stands in the file, for excerpts. */
  readonly startLine: number;
  readonly endLine: number;
  readonly heredocs: readonly Heredoc[];
  /** Blank lines within continued ones, by line number: allowed, and frowned upon. */
  readonly emptyContinuations: readonly number[];
  /** Where the character at an offset of `text` stands in the file. */
  positionOf(offset: number): Position;
}

interface Piece {
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

/** Instructions that may have here-documents, also behind ONBUILD. */
const WITH_HEREDOCS = /^(?:ONBUILD[ \t]+)?(?:RUN|COPY|ADD)(?:[ \t]|$)/i;

export function splitLines(source: string): string[] {
  return source.replace(/^\uFEFF/, '').split(/\r?\n/);
}

export function* logicalLines(lines: readonly string[], escape: string): Generator<LogicalLine> {
  for (let at = 0; at < lines.length;) {
    const raw = lines[at]!;
    const text = raw.trimStart();
    if (text === '' || text.startsWith('#')) {
      at++;
      continue;
    }
    const joined = joinContinued(lines, at, escape);
    at = joined.next;
    const heredocs: Heredoc[] = [];
    if (WITH_HEREDOCS.test(joined.text)) {
      for (const opened of findHeredocs(joined.text, escape)) {
        const end = findTerminator(lines, at, opened.name, opened.chomp);
        if (end === undefined)
          throw new DockerfileError('unterminated heredoc', positionIn(joined.pieces, 0), joined.endLine);
        const body = lines.slice(at, end).map((line) => (opened.chomp ? line.replace(/^\t+/, '') : line));
        heredocs.push({ ...opened, content: body.map((line) => `${line}\n`).join('') });
        at = end + 1;
      }
    }
    yield {
      text: joined.text.trimEnd(),
      startLine: joined.pieces[0]!.line,
      endLine: heredocs.length > 0 ? at : joined.endLine,
      heredocs,
      emptyContinuations: joined.empty,
      positionOf: (offset) => positionIn(joined.pieces, offset),
    };
  }
}

function joinContinued(lines: readonly string[], start: number, escape: string) {
  const pieces: Piece[] = [];
  const empty: number[] = [];
  let text = '';
  let at = start;
  let endLine = start + 1;
  for (; at < lines.length; at++) {
    const raw = lines[at]!;
    const trimmed = raw.trimStart();
    if (at > start) {
      // A comment does not end what is continued, nor does a blank line (which was allowed once, and so stays).
      if (trimmed.startsWith('#')) continue;
      if (trimmed === '') {
        empty.push(at + 1);
        continue;
      }
    }
    endLine = at + 1;
    // The blanks that a continued line begins with are part of it, those before an instruction are not.
    const piece = at === start ? trimmed : raw;
    pieces.push({ offset: text.length, line: at + 1, column: raw.length - piece.length + 1 });
    const whole = withoutContinuation(piece, escape);
    text += whole ?? piece;
    if (whole === undefined) return { text, pieces, empty, endLine, next: at + 1 };
  }
  return { text, pieces, empty, endLine, next: at };
}

/** The line without its escape at the end; undefined where it does not go on. An escaped escape is itself. */
function withoutContinuation(line: string, escape: string): string | undefined {
  const end = line.replace(/[ \t]+$/, '');
  if (!end.endsWith(escape) || end.endsWith(escape + escape)) return undefined;
  return end.slice(0, -1);
}

function findTerminator(lines: readonly string[], start: number, name: string, chomp: boolean): number | undefined {
  for (let at = start; at < lines.length; at++) {
    const line = lines[at]!;
    if ((chomp ? line.replace(/^\t+/, '') : line) === name) return at;
  }
  return undefined;
}

function positionIn(pieces: readonly Piece[], offset: number): Position {
  const piece = pieces.findLast((each) => each.offset <= offset) ?? pieces[0]!;
  return { line: piece.line, column: piece.column + offset - piece.offset };
}
