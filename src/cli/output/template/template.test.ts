import { describe, expect, test } from 'vitest';
import { compileTemplate } from './execute.ts';
import type { Value } from './value.ts';

const data = {
  Name: '/box',
  Count: 3,
  Zero: 0,
  Yes: true,
  Nothing: null,
  State: { Status: 'running', Pid: 42, Health: null },
  Labels: { b: '2', a: '1', 'com.example/key': 'value' },
  Ports: [
    { Private: 80, Type: 'tcp' },
    { Private: 53, Type: 'udp' },
  ],
  Names: ['one', 'two'],
  Empty: [],
  Label: (key: Value) => (key === 'a' ? '1' : ''),
};

function run(template: string): string {
  return compileTemplate(template)(data);
}

describe('values', () => {
  test.each([
    ['plain text', 'plain text'],
    ['{{.Name}}', '/box'],
    ['{{ .Name }} {{.Count}}', '/box 3'],
    ['{{.State.Status}}:{{.State.Pid}}', 'running:42'],
    ['{{$.State.Status}}', 'running'],
    ['{{(.State).Status}}', 'running'],
    ['{{"quoted \\"text\\"\\n"}}', 'quoted "text"\n'],
    ['{{`raw \\n`}}', 'raw \\n'],
    ['{{12}} {{-3}} {{1.5}} {{true}}', '12 -3 1.5 true'],
    ['{{.Names}} {{.Empty}}', '[one two] []'],
    ['{{.Labels}}', 'map[a:1 b:2 com.example/key:value]'],
    ['{{.Nothing}}', '<no value>'],
    ['{{.Label "a"}}{{.Label "b"}}', '1'],
    ['a{{/* a comment */}}b', 'ab'],
    ['a  {{- .Name -}}  b', 'a/boxb'],
    ['{{.Count}}-{{.Zero}}', '3-0'],
  ])('%s', (template, expected) => {
    expect(run(template)).toBe(expected);
  });
});

describe('functions', () => {
  test.each([
    ['{{json .Names}}', '["one","two"]'],
    ['{{json .Name}}', '"/box"'],
    ['{{json .Nothing}}', 'null'],
    ['{{.Ports | json}}', '[{"Private":80,"Type":"tcp"},{"Private":53,"Type":"udp"}]'],
    ['{{join .Names ", "}}', 'one, two'],
    ['{{len .Names}} {{len .Labels}} {{len "ü"}}', '2 3 2'],
    ['{{index .Names 1}} {{index .Labels "a"}} {{(index .Ports 0).Type}}', 'two 1 tcp'],
    ['{{index .Labels "com.example/key"}}', 'value'],
    ['{{index .Labels "none"}}', ''],
    ['{{upper "a"}}{{lower "B"}}{{title "new name"}}', 'AbNew Name'],
    ['{{split "a/b" "/"}}', '[a b]'],
    ['{{truncate "abcdef" 3}}|{{pad "x" 1 2}}|', 'abc| x  |'],
    ['{{println .Name .Count}}', '/box 3\n'],
    ['{{print "a" 1}}', 'a1'],
    ['{{printf "%s=%d|%-5s|%03d|%q|%.2f|%%" .Name .Count "ab" 7 "q" 1.239}}', '/box=3|ab   |007|"q"|1.24|%'],
    ['{{eq .Count 3}} {{eq .Name "a" "/box"}} {{ne .Count 3}}', 'true true false'],
    ['{{lt 1 2}} {{le 2 2}} {{gt "b" "a"}} {{ge 1 2}}', 'true true true false'],
    ['{{and .Yes .Zero}} {{or .Zero .Name}} {{not .Zero}}', '0 /box true'],
    ['{{slice .Name 1}} {{slice .Names 0 1}}', 'box [one]'],
    ['{{.Name | slice | len}}', '4'],
    ['{{eq .Nothing nil}}', 'true'],
    ['{{or .Name .NoSuch}}', '/box'],
  ])('%s', (template, expected) => {
    expect(run(template)).toBe(expected);
  });
});

describe('controls', () => {
  test.each([
    ['{{if .Yes}}y{{end}}', 'y'],
    ['{{if .Zero}}y{{else}}n{{end}}', 'n'],
    ['{{if .Empty}}a{{else if eq .Count 3}}b{{else}}c{{end}}', 'b'],
    ['{{if .State.Health}}h{{else}}none{{end}}', 'none'],
    ['{{range .Names}}[{{.}}]{{end}}', '[one][two]'],
    ['{{range $i, $name := .Names}}{{$i}}={{$name}} {{end}}', '0=one 1=two '],
    ['{{range $name := .Names}}{{$name}};{{$.Count}} {{end}}', 'one;3 two;3 '],
    ['{{range $key, $value := .Labels}}{{$key}}:{{$value}},{{end}}', 'a:1,b:2,com.example/key:value,'],
    ['{{range .Empty}}x{{else}}empty{{end}}', 'empty'],
    ['{{range .Ports}}{{if eq .Type "udp"}}{{break}}{{end}}{{.Private}}{{end}}', '80'],
    ['{{range .Ports}}{{if eq .Type "tcp"}}{{continue}}{{end}}{{.Private}}{{end}}', '53'],
    ['{{range 3}}{{.}}{{end}}', '012'],
    ['{{with .State}}{{.Pid}}{{end}}{{with .Nothing}}x{{else}}-{{end}}', '42-'],
    ['{{$x := .Count}}{{if .Yes}}{{$x = 4}}{{end}}{{$x}}', '4'],
    ['{{$x := 1}}{{if .Yes}}{{$x := 2}}{{$x}}{{end}}{{$x}}', '21'],
  ])('%s', (template, expected) => {
    expect(run(template)).toBe(expected);
  });
});

describe('errors', () => {
  test.each([
    ['{{.Unclosed', 'template: :1: unclosed action'],
    ['{{', 'template: :1: unclosed action'],
    ['{{}}', 'template: :1: missing value for command'],
    ['{{if .Yes}}', 'template: :1: unexpected EOF'],
    ['{{end}}', 'template: :1: unexpected {{end}}'],
    ['{{else}}', 'template: :1: unexpected {{else}}'],
    ['line\n{{nope .}}', 'template: :2: function "nope" not defined'],
    ['{{"open}}', 'template: :1: unterminated quoted string'],
    ['{{.Name!}}', 'template: :1: unexpected "!" in command'],
    ['{{.Name | }}', 'template: :1: missing value for command'],
    ['{{"a""b"}}', 'template: :1: unexpected "b" in command'],
    ['{{break}}', 'template: :1: {{break}} outside {{range}}'],
    ['{{.NoSuch}}', 'at <.NoSuch>: there is no field "NoSuch"'],
    ['{{.State.Health.Status}}', "at <.State.Health.Status>: can't evaluate field Status in a value of type nil"],
    ['{{.constructor}}', 'at <.constructor>: there is no field "constructor"'],
    ['{{index .Names 5}}', 'index out of range: 5'],
    ['{{join .Name ","}}', 'join takes a list, not a value of type string'],
    ['{{len .Count}}', 'len of a value of type number'],
    ['{{eq .Count "3"}}', 'eq: incompatible types for comparison: number and string'],
    ['{{json}}', 'template: :1: wrong number of args for json: want 1 got 0'],
    ['{{.Name 1}}', "template: :1: can't give argument to non-function"],
    ['{{$nobody}}', 'undefined variable "$nobody"'],
    ['{{range .Name}}{{end}}', "range can't iterate over a value of type string"],
  ])('%s', (template, message) => {
    expect(() => run(template)).toThrow(expect.objectContaining({ code: 'INVALID', message }));
  });
});
