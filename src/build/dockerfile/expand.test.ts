import { describe, expect, test } from 'vitest';
import { expandWord, expandWords } from './expand.ts';

const VARIABLES = new Map([
  ['NAME', 'value'],
  ['EMPTY', ''],
  ['PATHS', '/usr/local/bin'],
  ['TWO', 'a b'],
  ['_x1', 'under'],
]);

const options = { escape: '\\', lookup: (name: string) => VARIABLES.get(name) };

test.each([
  ['plain', 'plain'],
  ['$NAME', 'value'],
  ['${NAME}', 'value'],
  ['a${NAME}b$NAME', 'avaluebvalue'],
  ['$NAME_', ''],
  ['${_x1}', 'under'],
  ['$MISSING', ''],
  ['$', '$'],
  ['a$', 'a$'],
  ['$/', '$/'],
  ['\\$NAME', '$NAME'],
  ['\\\\$NAME', '\\value'],
  ['"$NAME x"', 'value x'],
  ["'$NAME x'", '$NAME x'],
  ['"a\\"b"', 'a"b'],
  ['"a\\nb"', 'a\\nb'],
  ['a\\nb', 'anb'],
  ['a\'b\'"c"', 'abc'],
  ['\\"', '"'],
  ['"\\$NAME"', '$NAME'],
])('%s -> %s', (word, expected) => {
  expect(expandWord(word, options)).toBe(expected);
});

test.each([
  ['${NAME:-x}', 'value'],
  ['${EMPTY:-x}', 'x'],
  ['${EMPTY-x}', ''],
  ['${MISSING-x}', 'x'],
  ['${MISSING:-$NAME}', 'value'],
  ['${MISSING:-${EMPTY:-deep}}', 'deep'],
  ['${MISSING:-a b}', 'a b'],
  ['${MISSING:-"}"}', '}'],
  ['${NAME:+x}', 'x'],
  ['${EMPTY:+x}', ''],
  ['${EMPTY+x}', 'x'],
  ['${MISSING+x}', ''],
  ['${NAME:?no}', 'value'],
  ['${NAME#v}', 'alue'],
  ['${NAME#x}', 'value'],
  ['${PATHS#*/}', 'usr/local/bin'],
  ['${PATHS##*/}', 'bin'],
  ['${PATHS%/*}', '/usr/local'],
  ['${PATHS%%/*}', ''],
  ['${PATHS%?in}', '/usr/local/'],
  ['${NAME/a/A}', 'vAlue'],
  ['${PATHS/\\//-}', '-usr/local/bin'],
  ['${PATHS//\\//-}', '-usr-local-bin'],
  ['${PATHS//l*l/x}', '/usr/x/bin'],
  ['${NAME/?/$EMPTY}', 'alue'],
  ['${NAME/.}', 'value'],
])('%s -> %s', (word, expected) => {
  // The last one has no second slash: a mistake, told below.
  if (word === '${NAME/.}') return expect(() => expandWord(word, options)).toThrow('missing }');
  expect(expandWord(word, options)).toBe(expected);
});

describe('mistakes are told', () => {
  test.each([
    ['${NAME', 'missing }'],
    ['${', 'missing }'],
    ['${}', 'bad substitution'],
    ['${NAME:x}', 'unsupported modifier (x)'],
    ['${NAME!}', 'unsupported modifier (!)'],
    ['${MISSING:?must be set}', 'MISSING: must be set'],
    ['${EMPTY:?}', 'EMPTY: parameter null or not set'],
    ['${MISSING?}', 'MISSING: parameter not set'],
    ['"open', 'double-quote'],
    ["'open", 'single-quote'],
    ['${NAME:-x', 'matching }'],
  ])('%s: %s', (word, message) => {
    expect(() => expandWord(word, options)).toThrow(message);
  });

  test('variables that are not set are named', () => {
    const unset: string[] = [];
    expandWord('$A ${B} ${C:-x} $NAME', { ...options, onUnset: (name) => unset.push(name) });
    expect(unset).toEqual(['A', 'B']);
  });
});

test('another escape', () => {
  const windows = { ...options, escape: '`' };
  expect(expandWord('c:\\$NAME', windows)).toBe('c:\\value');
  expect(expandWord('`$NAME', windows)).toBe('$NAME');
});

test('here-documents keep quotes', () => {
  const heredoc = { ...options, keepQuotes: true };
  expect(expandWord('"$NAME" \'$NAME\' \\$NAME \\n', heredoc)).toBe('"value" \'value\' $NAME \\n');
});

test.each([
  ['80 443', ['80', '443']],
  ['$TWO', ['a', 'b']],
  ['"$TWO" c', ['a b', 'c']],
  ['', []],
  ['$EMPTY', []],
  ['x$TWO', ['xa', 'b']],
])('%s gives words', (text, words) => {
  expect(expandWords(text, options)).toEqual(words);
});
