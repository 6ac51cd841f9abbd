/** `--chmod`: octal digits, or chmod(1)'s symbols. */

/** The new mode of a file or folder from the one that it had. */
export type ModeChange = (mode: number, isFolder: boolean) => number;

const BITS: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111 };
const WHO: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o1007 };

/** Throws where the text is neither. */
export function parseMode(text: string): ModeChange {
  if (/^[0-7]+$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    if (mode > 0o7777) throw invalid(text);
    return () => mode;
  }
  const clauses = text.split(',').map((clause) => parseClause(clause, text));
  return (mode, isFolder) => clauses.reduce((current, apply) => apply(current, isFolder), mode);
}

function parseClause(clause: string, whole: string): ModeChange {
  const match = /^([ugoa]*)((?:[+=-][rwxXst]*)+)$/.exec(clause);
  if (match === null) throw invalid(whole);
  const who = match[1] === '' || match[1]!.includes('a') ? 'ugo' : match[1]!;
  const reach = [...new Set(who)].reduce((mask, each) => mask | WHO[each]!, 0);
  const actions = [...match[2]!.matchAll(/([+=-])([rwxXst]*)/g)];
  return (mode, isFolder) => {
    let current = mode;
    for (const [, operator, letters] of actions) {
      const bits = permissionBits(letters!, reach, current, isFolder);
      if (operator === '+') current |= bits;
      else if (operator === '-') current &= ~bits;
      else current = (current & ~(reach & 0o777)) | bits;
    }
    return current & 0o7777;
  };
}

function permissionBits(letters: string, reach: number, mode: number, isFolder: boolean): number {
  let bits = 0;
  for (const letter of letters) {
    if (letter === 'X') bits |= isFolder || (mode & 0o111) !== 0 ? 0o111 : 0;
    else if (letter === 's') bits |= 0o6000;
    else if (letter === 't') bits |= 0o1000;
    else bits |= BITS[letter]!;
  }
  return bits & reach;
}

function invalid(text: string): Error {
  return new Error(
    `invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777, or symbolic`,
  );
}
