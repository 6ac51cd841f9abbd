import { describe, expect, test } from 'vitest';
import { DockerfileError } from './dockerfile-error.ts';
import { parseDockerfile, parseTriggers } from './parse-dockerfile.ts';

function instructions(source: string) {
  return parseDockerfile(`FROM x\n${source}`).stages[0]!.instructions;
}

function one(source: string) {
  const all = instructions(source);
  expect(all).toHaveLength(1);
  return all[0]!;
}

function mistake(source: string): DockerfileError {
  try {
    parseDockerfile(source);
  } catch (error) {
    if (error instanceof DockerfileError) return error;
    throw error;
  }
  throw new Error('nothing is wrong with it');
}

describe('stages', () => {
  test('with names, platforms and global arguments', () => {
    const { stages, globalArgs } = parseDockerfile(
      'ARG V=1 W\nFROM --platform=$BUILDPLATFORM golang:${V} AS Build\nRUN x\nfrom build as two\nFROM scratch\nCOPY --from=0 a b\n',
    );
    expect(globalArgs[0]!.args).toEqual([
      { key: 'V', value: '1' },
      { key: 'W', value: undefined },
    ]);
    expect(stages.map(({ name, from }) => [name, from.image, from.platform])).toEqual([
      ['build', 'golang:${V}', '$BUILDPLATFORM'],
      ['two', 'build', undefined],
      [undefined, 'scratch', undefined],
    ]);
    expect(stages[2]!.instructions[0]).toMatchObject({ kind: 'copy', from: '0', start: { line: 6, column: 1 } });
  });

  test.each([
    ['RUN x', 'no build stage in current context', 1, 1],
    ['', 'file with no instructions', 1, 1],
    ['ARG a', 'no stages to build', 1, 1],
    ['FROM', 'FROM requires either one or three arguments', 1, 1],
    ['FROM a b', 'FROM requires either one or three arguments', 1, 1],
    ['FROM a AS 1x', "name can't start with a number", 1, 1],
    ['FROM a\nFRON b', 'unknown instruction: FRON (did you mean FROM?)', 2, 1],
    ['FROM a\n\n   RUNN x', 'unknown instruction: RUNN (did you mean RUN?)', 3, 4],
    ['FROM a\nXYZZY', 'unknown instruction: XYZZY', 2, 1],
    ['FROM --platfrom=x a', 'unknown flag: --platfrom (did you mean platform?)', 1, 6],
    ['FROM a\nCOPY --chwon=1 a b', 'unknown flag: --chwon (did you mean chown?)', 2, 6],
    ['FROM a\nCOPY \\\n  --link=maybe a b', 'expecting boolean value for flag link', 3, 3],
    ['FROM a\nCOPY --from a b', 'missing a value on flag: from', 2, 6],
    ['FROM a\nCOPY --from=a --from=b a b', 'duplicate flag specified: from', 2, 15],
    ['FROM a\nCOPY a', 'COPY requires at least two arguments', 2, 1],
    ['FROM a\nADD', 'ADD requires at least two arguments, but none were provided', 2, 1],
    ['FROM a\nENV A=1 B C=3', 'can\'t find = in "B"', 2, 9],
    ['FROM a\nENV A', 'ENV must have two arguments', 2, 5],
    ['FROM a\nENV =x', 'ENV names can not be blank', 2, 5],
    ['FROM a\nSHELL /bin/sh -c', 'SHELL requires the arguments to be in JSON form', 2, 1],
    ['FROM a\nCMD ["a", 1]', 'arrays must be comprised of strings only', 2, 1],
    ['FROM a\nHEALTHCHECK CMD', 'missing command after HEALTHCHECK CMD', 2, 1],
    ['FROM a\nHEALTHCHECK WHAT x', 'unknown type "WHAT" in HEALTHCHECK (try CMD)', 2, 1],
    ['FROM a\nHEALTHCHECK --interval=5x CMD y', 'time: invalid duration "5x"', 2, 1],
    ['FROM a\nHEALTHCHECK NONE x', 'HEALTHCHECK NONE takes no arguments', 2, 1],
    ['FROM a\nONBUILD FROM b', "FROM isn't allowed as an ONBUILD trigger", 2, 1],
    ['FROM a\nONBUILD ONBUILD RUN x', "isn't allowed", 2, 1],
    ['FROM a\nRUN --network=bridge x', 'invalid network mode: "bridge"', 2, 1],
    ['FROM a\nRUN --security=none x', 'security "none" is not valid', 2, 1],
    ['FROM a\nRUN', 'RUN requires at least one argument', 2, 1],
    ['FROM a\nUSER', 'USER requires exactly one argument', 2, 1],
    ['FROM a\nEXPOSE', 'EXPOSE requires at least one argument', 2, 1],
    ['FROM a\nVOLUME [""]', 'VOLUME specified can not be an empty string', 2, 1],
    ['FROM a\nRUN <<EOF\necho', 'unterminated heredoc', 2, 1],
    ['FROM a\nCOPY a <<EOF\nx\nEOF', 'COPY cannot accept a heredoc as a destination', 2, 1],
  ])('%j: %s', (source, message, line, column) => {
    const error = mistake(source);
    expect(error.message).toContain(message);
    expect(error.position).toEqual({ line, column });
  });
});

describe('directives', () => {
  test('are read at the top', () => {
    const { directives } = parseDockerfile(
      '# syntax=docker/dockerfile:1\n#escape = `\n# check=skip=A,B;error=true\nFROM x\n',
    );
    expect(directives).toEqual({
      syntax: 'docker/dockerfile:1',
      escape: '`',
      check: { skip: ['A', 'B'], skipAll: false, error: true },
    });
  });

  test.each([
    '# a comment\n# escape=`\nFROM x',
    '\n# escape=`\nFROM x',
    'FROM x\n# escape=`',
    '# foo=bar\n# escape=`\nFROM x',
  ])('%j has none that counts', (source) => {
    expect(parseDockerfile(source).directives.escape).toBe('\\');
  });

  test('mistakes', () => {
    expect(mistake('# escape=x\nFROM a').message).toContain("invalid escape token 'x'");
    expect(mistake('# escape=`\n# escape=`\nFROM a').message).toContain('only one escape parser directive');
  });

  test('the other escape continues lines', () => {
    const { stages } = parseDockerfile('# escape=`\nFROM x\nRUN dir c:\\ `\n  && b\n');
    expect(stages[0]!.instructions[0]).toMatchObject({ command: { form: 'shell', script: 'dir c:\\   && b' } });
  });
});

describe('lines', () => {
  test('go on behind an escape, comments and blank lines in between', () => {
    const { stages, emptyContinuations } = parseDockerfile('FROM x\nRUN a \\\n# comment\n  && b \\\n\n  && c\nRUN d\n');
    const [first, second] = stages[0]!.instructions;
    expect(first).toMatchObject({ command: { script: 'a   && b   && c' }, start: { line: 2, column: 1 }, endLine: 6 });
    expect(second).toMatchObject({ start: { line: 7 } });
    expect(emptyContinuations).toEqual([5]);
  });

  test('an escaped escape does not continue', () => {
    expect(instructions('RUN echo a\\\\\nRUN b')).toHaveLength(2);
  });

  test('a byte order mark, CRLF and a missing end of line', () => {
    const { stages } = parseDockerfile('\uFEFFFROM x\r\nRUN a \\\r\n  b');
    expect(stages[0]!.instructions[0]).toMatchObject({ command: { script: 'a   b' } });
  });
});

describe('commands', () => {
  test.each([
    ['RUN echo "a b"', { form: 'shell', script: 'echo "a b"' }],
    ['RUN ["a", "b c"]', { form: 'exec', args: ['a', 'b c'] }],
    ['RUN [ -f /x ] && y', { form: 'shell', script: '[ -f /x ] && y' }],
    ["RUN ['a']", { form: 'shell', script: "['a']" }],
    ['CMD []', { form: 'exec', args: [] }],
    ['ENTRYPOINT  top -b', { form: 'shell', script: 'top -b' }],
  ])('%s', (source, command) => {
    expect(one(source)).toMatchObject({ command });
  });

  test('RUN has flags', () => {
    expect(
      one('RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t --network=none --security=insecure make'),
    ).toMatchObject({
      mounts: ['type=cache,target=/c', 'type=tmpfs,target=/t'],
      network: 'none',
      security: 'insecure',
      command: { script: 'make' },
    });
  });

  test('HEALTHCHECK has times', () => {
    expect(one('HEALTHCHECK --interval=1m30s --timeout=500ms --start-interval=2s --retries=5 CMD ["x"]')).toMatchObject(
      {
        test: { form: 'exec', args: ['x'] },
        interval: 90e9,
        timeout: 5e8,
        startPeriod: 0,
        startInterval: 2e9,
        retries: 5,
      },
    );
    expect(one('HEALTHCHECK NONE')).toMatchObject({ test: 'NONE' });
  });
});

describe('here-documents', () => {
  test('are scripts', () => {
    expect(one('RUN <<EOF\na\n  b\nEOF\n')).toMatchObject({
      command: { script: '<<EOF' },
      heredocs: [{ name: 'EOF', content: 'a\n  b\n', expand: true, chomp: false }],
      endLine: 5,
    });
  });

  test('several, with tabs that go and quotes that forbid expansion', () => {
    const [run, env] = instructions("RUN cat <<-A 3<<'B' > /x\n\ta\n\tA\n$b\nB\nENV x=1");
    expect(run).toMatchObject({
      heredocs: [
        { name: 'A', content: 'a\n', chomp: true, expand: true },
        { name: 'B', content: '$b\n', fd: '3', expand: false },
      ],
    });
    expect(env).toMatchObject({ kind: 'env', start: { line: 7 } });
  });

  test('are files for COPY', () => {
    expect(one('COPY <<one <<"two" x /dest/\n1\none\n2\ntwo')).toMatchObject({
      sources: ['x'],
      destination: '/dest/',
      contents: [
        { name: 'one', content: '1\n' },
        { name: 'two', content: '2\n', expand: false },
      ],
    });
  });

  test.each(['RUN echo "<<EOF"', 'RUN echo $((1<<2))', 'CMD cat <<EOF', 'RUN a << b'])('%s opens none', (source) => {
    expect(instructions(`${source}\nRUN x`)).toHaveLength(2);
  });
});

describe('arguments', () => {
  test.each([
    [
      'ENV a=1 b="x y" c=\\ z',
      [
        ['a', '1'],
        ['b', '"x y"'],
        ['c', '\\ z'],
      ],
    ],
    ['ENV a x  y', [['a', 'x  y']]],
    [
      'LABEL "com.example"="v" x=',
      [
        ['"com.example"', '"v"'],
        ['x', ''],
      ],
    ],
  ])('%s', (source, pairs) => {
    const instruction = one(source);
    expect(instruction).toHaveProperty('pairs');
    expect(
      (instruction as unknown as { pairs: { key: string; value: string }[] }).pairs.map(({ key, value }) => [
        key,
        value,
      ]),
    ).toEqual(pairs);
  });

  test('COPY', () => {
    expect(
      one('COPY --from=b --chown=u:g --chmod=u+x --link --parents --exclude=*.md --exclude=x ["a b", "c", "/d/"]'),
    ).toMatchObject({
      ...{ kind: 'copy', from: 'b', chown: 'u:g', chmod: 'u+x', link: true, parents: true, excludes: ['*.md', 'x'] },
      ...{ sources: ['a b', 'c'], destination: '/d/' },
    });
    expect(one('ADD --checksum=sha256:1 --keep-git-dir=true --unpack=false https://x /y')).toMatchObject({
      ...{ kind: 'add', checksum: 'sha256:1', keepGitDir: true, unpack: false, link: false },
    });
    expect(() => parseDockerfile('FROM x\nADD --from=a b c')).toThrow('unknown flag: --from');
  });

  test('the others', () => {
    expect(one('EXPOSE 80 443/udp $PORT')).toMatchObject({ ports: ['80', '443/udp', '$PORT'] });
    expect(one('VOLUME ["/a b"]')).toMatchObject({ paths: ['/a b'] });
    expect(one('VOLUME /a /b')).toMatchObject({ paths: ['/a', '/b'] });
    expect(one('USER  app:app ')).toMatchObject({ value: 'app:app' });
    expect(one('ONBUILD RUN x')).toMatchObject({ trigger: 'RUN x' });
    expect(one('ARG a b=2 c="x y"')).toMatchObject({
      args: [
        { key: 'a', value: undefined },
        { key: 'b', value: '2' },
        { key: 'c', value: '"x y"' },
      ],
    });
  });
});

test('triggers of a base image stand where its FROM is', () => {
  const { from } = parseDockerfile('# x\nFROM base').stages[0]!;
  expect(parseTriggers(['RUN a', 'COPY . /b'], from)).toMatchObject([
    { kind: 'run', start: { line: 2 } },
    { kind: 'copy', start: { line: 2 } },
  ]);
  expect(() => parseTriggers(['FROM x'], from)).toThrow('ONBUILD trigger');
  expect(() => parseTriggers(['NONSENSE'], from)).toThrow('unknown instruction');
});
