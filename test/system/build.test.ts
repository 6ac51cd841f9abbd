/**
 * `trun build`: the instructions and what they leave behind.
 *
 * Runs as: user, nosub
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeContext, type ContextFiles } from '../helpers/build-context.ts';
import { output, type CommandOptions, type Result } from '../helpers/command.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ images: ['busybox'] });

/** Builds from these files; `Dockerfile` begins with `FROM @busybox` where it should. */
function build(files: ContextFiles, words: readonly string[] = [], options: CommandOptions = {}): Promise<Result> {
  const dockerfile = files['Dockerfile'];
  const named =
    typeof dockerfile === 'string' ? { Dockerfile: dockerfile.replaceAll('@busybox', bed.image('busybox')) } : {};
  const context = makeContext(bed.box.folder, { ...files, ...named });
  return bed.box.trun(['build', '--progress', 'plain', ...words, context], options);
}

async function built(files: ContextFiles, words: readonly string[] = []): Promise<Result> {
  const result = await build(files, words);
  if (result.status !== 0) throw new Error(`the build failed:\n${result.stderr}`);
  return result;
}

/** Builds an image and prints what a command prints in it. */
async function show(files: ContextFiles, command: string, words: readonly string[] = []): Promise<string> {
  const name = `shown-${++count}`;
  await built(files, ['-t', name, ...words]);
  return bed.box.ok(['run', '--rm', name, 'sh', '-c', command]);
}

let count = 0;

describe('RUN', () => {
  test('in all its forms, with the environment and the working directory', async () => {
    const text = await show(
      {
        Dockerfile: [
          'FROM @busybox',
          'ARG GREETING=hello',
          'ENV NAME=world PATH=$PATH:/extra',
          'WORKDIR /made/here',
          'RUN echo "$GREETING $NAME $PWD" > shell',
          'RUN ["sh", "-c", "echo exec $NAME > exec"]',
          'RUN <<EOF',
          'echo "heredoc $GREETING" > heredoc',
          'echo two >> heredoc',
          'EOF',
          "RUN cat <<'A' > quoted && cat <<-B >> quoted",
          '$NAME',
          'A',
          '\ttabs $NAME',
          '\tB',
          'RUN <<EOF',
          '#!/bin/cat',
          'a program',
          'EOF',
          'SHELL ["/bin/sh", "-e", "-c"]',
          'RUN false; echo never > /never || true',
        ]
          .slice(0, -1)
          .join('\n'),
      },
      'cat shell exec heredoc quoted; echo $PATH',
    );
    expect(text.split('\n')).toEqual([
      'hello world /made/here',
      'exec world',
      'heredoc hello',
      'two',
      '$NAME',
      'tabs world',
      expect.stringMatching(/:\/extra$/),
    ]);
  });

  test('leaves no mount points and nothing of the sandbox', async () => {
    const text = await show(
      {
        Dockerfile:
          'FROM @busybox\nRUN rm -rf /etc/hostname; true\nRUN --mount=type=tmpfs,target=/t/m --mount=type=cache,target=/c id > /id; env > /env; hostname >> /env\nENV X=1',
      },
      'ls -d /t /c 2>&1; ls /dev | wc -l > /dev/null; cat /env',
    );
    expect(text).toContain('/t: No such file or directory');
    expect(text).toContain('/c: No such file or directory');
    expect(text).toContain('buildkitsandbox');
    expect(text).not.toContain('HOSTNAME=');
  });

  test('a failure tells the last lines and the place, and leaves no image', async () => {
    const { status, stderr } = await build(
      { Dockerfile: 'FROM @busybox\nRUN true\nRUN echo the reason; \\\n  exit 7\nRUN never\n' },
      ['-t', 'failed'],
    );
    expect(status).toBe(1);
    expect(stderr).toContain(' > [3/4] RUN echo the reason;   exit 7:\nthe reason\n');
    expect(stderr).toContain('Dockerfile:3\n--------------------\n');
    expect(stderr).toContain('   3 | >>> RUN echo the reason; \\\n   4 | >>>   exit 7\n   5 |     RUN never');
    expect(stderr).toContain(
      'process "/bin/sh -c echo the reason;   exit 7" did not complete successfully: exit code: 7',
    );
    expect((await bed.box.trun('image inspect failed')).status).toBe(1);
  });

  test('a program that is not there', async () => {
    const { status, stderr } = await build({ Dockerfile: 'FROM @busybox\nRUN ["/no/such"]' });
    expect(status).toBe(1);
    expect(stderr).toContain('no such file or directory');
  });

  test('networks', async () => {
    const text = await show(
      { Dockerfile: 'FROM @busybox\nRUN --network=none ls /sys/class/net > /none\nRUN ls /sys/class/net > /default' },
      'cat /none; echo; cat /default',
    );
    expect(text.split('\n\n').map((each) => each.trim().split(/\s+/))).toEqual([['lo'], ['eth0', 'lo']]);
    const { status, stderr } = await build({ Dockerfile: 'FROM @busybox\nRUN --network=host true' });
    expect([status, stderr]).toEqual([1, expect.stringContaining('network.host is not allowed')]);
  });
});

describe('mounts', () => {
  test('bind, of the context and of a stage', async () => {
    const text = await show(
      {
        Dockerfile: [
          'FROM @busybox AS tools',
          'RUN mkdir -p /opt/tools && echo tool > /opt/tools/t',
          'FROM @busybox',
          'RUN --mount=type=bind,target=/ctx --mount=from=tools,source=/opt/tools,target=/tools,rw \\',
          '  cat /ctx/dir/file /tools/t > /seen; echo x > /tools/new; echo y 2>/dev/null > /ctx/no || echo read-only >> /seen; ls /ctx >> /seen',
        ].join('\n'),
        'dir/file': 'from the context\n',
        'ignored.txt': 'x',
        '.dockerignore': '*.txt\n.dockerignore\nDockerfile',
      },
      'cat /seen',
    );
    expect(text).toBe('from the context\ntool\nread-only\ndir');
  });

  test('caches outlive builds', async () => {
    function dockerfile(n: number): ContextFiles {
      return {
        Dockerfile: `FROM @busybox\nARG N=${n}\nRUN --mount=type=cache,id=counter,target=/cache,sharing=locked echo ${n} >> /cache/log; cp /cache/log /log`,
      };
    }
    await built(dockerfile(1));
    expect(await show(dockerfile(2), 'cat /log')).toBe('1\n2');
  });

  test('secrets are in files and variables, and in no layer', async () => {
    const secret = join(makeContext(bed.box.folder, { secret: 'from a file' }), 'secret');
    const name = 'with-secrets';
    const files = {
      Dockerfile: [
        'FROM @busybox',
        'RUN --mount=type=secret,id=one,uid=0,mode=0440 --mount=type=secret,id=two,env=TWO \\',
        '  stat -c %a /run/secrets/one > /seen; cat /run/secrets/one | md5sum >> /seen; echo $TWO | md5sum >> /seen',
        'RUN --mount=type=secret,id=missing ls /run/secrets 2>&1 | tail -n 1 >> /seen; true',
      ].join('\n'),
    };
    const result = await build(
      files,
      ['-t', name, '--secret', `id=one,src=${secret}`, '--secret', 'id=two,env=TOKEN'],
      {
        env: { TOKEN: 'from the environment' },
      },
    );
    expect(result.stderr).not.toContain('from the environment');
    expect(result.status).toBe(0);
    expect(await bed.box.ok(['run', '--rm', name, 'sh', '-c', 'cat /seen; ls -A /run 2>&1; true'])).toMatch(
      /^440\n[0-9a-f]{32} .*\n[0-9a-f]{32} .*\n.*No such file/,
    );
    const { stderr } = await build({ Dockerfile: 'FROM @busybox\nRUN --mount=type=secret,id=no,required true' });
    expect(stderr).toContain('secret no: not found');
  });
});

describe('COPY and ADD', () => {
  const files: ContextFiles = {
    'a.txt': 'a',
    'b.txt': 'b',
    'dir/c.txt': 'c',
    'dir/sub/d.md': 'd',
    'dir/link': { link: 'c.txt' },
    'tool.sh': { mode: 0o755, text: '#!/bin/sh\necho tool' },
    alink: { link: 'a.txt' },
  };

  test('files and folders, to names and into folders', async () => {
    const text = await show(
      {
        ...files,
        Dockerfile: [
          'FROM @busybox',
          'COPY a.txt /renamed',
          'COPY a.txt b.txt /into/',
          'COPY dir /dir',
          'COPY dir/ /existing/',
          'COPY *.txt /globbed/',
          'COPY alink /followed',
          'WORKDIR /w',
          'COPY a.txt .',
          'COPY a.txt sub/',
          'COPY ["a.txt", "/with space/"]',
          'COPY <<one <<"two" /docs/',
          'home is $HOSTNAMEX${PATH:+set}',
          'one',
          '$PATH',
          'two',
          'COPY --chmod=0700 tool.sh /bin/tool',
        ].join('\n'),
      },
      'cd /; find renamed into dir existing globbed followed w "with space" docs ! -type d | sort; cat renamed followed docs/one docs/two; stat -c "%a %u:%g" bin/tool into; tool; readlink dir/link',
    );
    expect(text.split('\n')).toEqual([
      'dir/c.txt',
      'dir/link',
      'dir/sub/d.md',
      'docs/one',
      'docs/two',
      'existing/c.txt',
      'existing/link',
      'existing/sub/d.md',
      'followed',
      'globbed/a.txt',
      'globbed/b.txt',
      'into/a.txt',
      'into/b.txt',
      'renamed',
      'w/a.txt',
      'w/sub/a.txt',
      'with space/a.txt',
      'aahome is set',
      '$PATH',
      '700 0:0',
      '755 0:0',
      'tool',
      'c.txt',
    ]);
  });

  test('links in the destination stay inside', async () => {
    const text = await show(
      {
        ...files,
        Dockerfile:
          'FROM @busybox\nRUN ln -s ../../../../etc /up; ln -s /var/www /abs; mkdir -p /var/www\nCOPY a.txt /up/copied\nCOPY dir /abs/',
      },
      'cat /etc/copied /var/www/c.txt; readlink /up',
    );
    expect(text).toBe('ac../../../../etc');
  });

  test('--exclude and --parents', async () => {
    const text = await show(
      {
        ...files,
        Dockerfile: [
          'FROM @busybox',
          'COPY --exclude=*.md --exclude=sub dir /ex',
          'COPY --parents dir/sub/d.md a.txt /par/',
          'COPY --parents dir/./sub/*.md /piv/',
          'COPY --parents **/*.md /deep/',
        ].join('\n'),
      },
      'cd /; find ex par piv deep -type f | sort',
    );
    expect(text.split('\n')).toEqual([
      ...['deep/dir/sub/d.md', 'ex/c.txt', 'par/a.txt', 'par/dir/sub/d.md', 'piv/sub/d.md'],
    ]);
  });

  test('an archive is unpacked by ADD alone, and what is in it stays in the destination', async () => {
    const context = makeContext(bed.box.folder, { ...files });
    await output('tar', ['-C', context, '-czf', join(context, 'x.tgz'), 'dir', 'a.txt']);
    await output('tar', ['-C', context, '-cJf', join(context, 'x.txz'), 'b.txt']);
    writeFileSync(
      join(context, 'Dockerfile'),
      `FROM ${bed.image('busybox')}\nADD x.tgz x.txz /un/\nCOPY x.tgz /packed\nADD --unpack=false x.tgz /plain/\nADD a.txt /added\n`,
    );
    await bed.box.ok(['build', '-q', '-t', 'archives', context]);
    const text = await bed.box.ok([
      'run',
      '--rm',
      'archives',
      'sh',
      '-c',
      'cd /; find un plain | sort; head -c 2 packed | od -tx1',
    ]);
    expect(text.split('\n').slice(0, 10)).toEqual([
      ...['plain', 'plain/x.tgz', 'un', 'un/a.txt', 'un/b.txt', 'un/dir', 'un/dir/c.txt', 'un/dir/link', 'un/dir/sub'],
      'un/dir/sub/d.md',
    ]);
    expect(text).toContain('1f 8b');
  });

  test('mistakes', async () => {
    const missing = await build({ Dockerfile: 'FROM @busybox\nCOPY no/such /x' });
    expect([missing.status, missing.stderr]).toEqual([1, expect.stringContaining('"/no/such": not found')]);
    const outside = await build({ Dockerfile: 'FROM @busybox\nCOPY ../../etc/passwd /x' });
    expect(outside.stderr).toContain('not found');
    const closed = await build({ x: { mode: 0, text: 'x' }, Dockerfile: 'FROM @busybox\nCOPY x /x' });
    expect(closed.stderr).toContain('Cannot read /x: permission denied (EACCES)');
    const several = await build({ ...files, Dockerfile: 'FROM @busybox\nCOPY a.txt b.txt /x' });
    expect(several.stderr).toContain('the destination must be a directory and end with a /');
    const stage = await build({ Dockerfile: 'FROM @busybox AS me\nCOPY --from=me /a /b' });
    expect(stage.stderr).toContain('circular dependency');
  });
});

describe('--chown', () => {
  test('by number and by name of the image', async ({ skip }) => {
    if ((await bed.box.ok('info')).includes('single')) return skip('one id only');
    const text = await show(
      {
        x: 'x',
        Dockerfile:
          'FROM @busybox\nRUN echo "app:x:1000:1001::/:/bin/sh" >> /etc/passwd; echo "team:x:2000:" >> /etc/group\nCOPY --chown=app x /1\nCOPY --chown=app:team x /2\nCOPY --chown=5 x /3\nCOPY --chown=5:6 x /4/',
      },
      'stat -c %u:%g /1 /2 /3 /4/x /4',
    );
    expect(text.split('\n')).toEqual(['1000:1001', '1000:2000', '5:5', '5:6', '5:6']);
    const { stderr } = await build({ x: 'x', Dockerfile: 'FROM @busybox\nCOPY --chown=nobody-here x /1' });
    expect(stderr).toContain("can't find uid for user nobody-here");
  });
});

describe('stages', () => {
  test('only those that the target needs are built, and --target chooses', async () => {
    const files = {
      Dockerfile:
        'FROM @busybox AS base\nRUN echo base > /base\nFROM @busybox AS unused\nRUN false\nFROM base AS test\nRUN echo test > /test\nFROM base\nCOPY --from=0 /base /copied\nCOPY --from=base /base /again',
    };
    expect(await show(files, 'cat /base /copied /again; ls /test 2>&1; true')).toContain('base\nbase\nbase\n');
    expect(await show(files, 'cat /test', ['--target', 'test'])).toBe('test');
    const { stderr } = await build(files, ['--target', 'nowhere']);
    expect(stderr).toContain('target stage "nowhere" could not be found');
  });

  test('scratch, and an image to copy from', async () => {
    await built(
      {
        Dockerfile:
          'FROM scratch\nCOPY --from=@busybox /bin/busybox /bin/busybox\nCMD ["/bin/busybox", "echo", "tiny"]',
      },
      [...['-t', 'tiny']],
    );
    expect(await bed.box.ok('run --rm tiny')).toBe('tiny');
  });

  test('arguments in their scopes', async () => {
    const files = {
      Dockerfile: [
        'ARG BASE=nonsense',
        'ARG SHARED=global',
        'FROM ${BASE} AS one',
        'ARG SHARED',
        'ARG LOCAL=${SHARED}-local',
        'RUN echo "$SHARED $LOCAL [$BASE]" > /seen',
        'FROM one',
        'ARG TARGETPLATFORM TARGETARCH',
        'RUN echo "$LOCAL $TARGETPLATFORM $TARGETARCH" >> /seen',
      ].join('\n'),
    };
    const text = await show(files, 'cat /seen', [
      '--build-arg',
      `BASE=${bed.image('busybox')}`,
      '--build-arg',
      'LOCAL=given',
    ]);
    expect(text).toMatch(/^global given \[\]\ngiven linux\/(amd64|arm64) (amd64|arm64)$/);
  });

  test('ONBUILD triggers of the base image', async () => {
    await built({ Dockerfile: 'FROM @busybox\nONBUILD COPY x /triggered\nONBUILD RUN echo more >> /triggered' }, [
      '-t',
      'base-onbuild',
    ]);
    const { stderr } = await built({ x: 'x\n', Dockerfile: 'FROM base-onbuild\nRUN cat /triggered' }, ['--no-cache']);
    expect(stderr).toMatch(/#\d+ \d\.\d+ x\n#\d+ \d\.\d+ more/);
  });
});

test('what only describes', async () => {
  await built(
    {
      Dockerfile: [
        'FROM @busybox',
        'LABEL a=1 b="two words"',
        'EXPOSE 80 100-101/udp',
        'VOLUME /data',
        'STOPSIGNAL SIGQUIT',
        'HEALTHCHECK --interval=5s --retries=2 CMD true',
        'SHELL ["/bin/sh", "-ec"]',
        'CMD arg',
        'ENTRYPOINT ["entry"]',
        'WORKDIR a',
        'WORKDIR b',
        'USER 5:6',
        'MAINTAINER somebody',
      ].join('\n'),
    },
    ['-t', 'described', '--label', 'c=3'],
  );
  const [image] = JSON.parse(await bed.box.ok('image inspect described')) as [
    { Config: Record<string, unknown>; Author: string },
  ];
  expect(image.Config).toMatchObject({
    Labels: { a: '1', b: 'two words', c: '3' },
    ExposedPorts: { '80/tcp': {}, '100/udp': {}, '101/udp': {} },
    Volumes: { '/data': {} },
    Entrypoint: ['entry'],
    Cmd: ['/bin/sh', '-ec', 'arg'],
    WorkingDir: '/a/b',
    User: '5:6',
    StopSignal: 'SIGQUIT',
  });
});

describe('the cache', () => {
  test('finds what has not changed by content, not by time', async () => {
    const dockerfile = 'FROM @busybox\nRUN date +%N%s > /stamp\nCOPY file /file\nRUN cat /file > /copy';
    const first = await built({ Dockerfile: dockerfile, file: '1' }, ['-t', 'cached-1']);
    expect(first.stderr.match(/CACHED/g)).toHaveLength(1);
    const same = await built({ Dockerfile: dockerfile, file: '1' }, ['-t', 'cached-2']);
    expect(same.stderr.match(/CACHED/g)).toHaveLength(4);
    const changed = await built({ Dockerfile: dockerfile, file: '2' });
    expect(changed.stderr.match(/CACHED/g)).toHaveLength(2);
    function id(name: string): Promise<string> {
      return bed.box.ok(['image', 'inspect', '--format', '{{.Id}}', name]);
    }
    expect(await id('cached-1')).toBe(await id('cached-2'));
    const without = await built({ Dockerfile: dockerfile, file: '1' }, ['--no-cache']);
    expect(without.stderr.match(/CACHED/g)).toHaveLength(1);
  });

  test('a stage that gives the same files gives the same to those that copy from it', async () => {
    function dockerfile(n: number): string {
      return `FROM @busybox AS make\nRUN echo ${n} > /dev/null; echo same > /out\nFROM @busybox\nCOPY --from=make /out /out\nRUN cat /out > /seen`;
    }
    await built({ Dockerfile: dockerfile(1) });
    const second = await built({ Dockerfile: dockerfile(2) });
    expect(second.stderr).toMatch(/\[stage-1 3\/3\] RUN cat \/out > \/seen\n#\d+ CACHED/);
  });
});

describe('output', () => {
  const files: ContextFiles = { x: 'x', Dockerfile: 'FROM scratch\nCOPY x /dir/x\nCOPY --chmod=4755 x /suid' };

  test('a folder, a tar archive, an OCI layout', async () => {
    const out = join(bed.box.folder, 'out');
    await built(files, ['-o', out]);
    expect(readdirSync(out, { recursive: true }).sort()).toEqual(['dir', 'dir/x', 'suid']);
    expect(readFileSync(join(out, 'dir/x'), 'utf8')).toBe('x');

    const archive = join(bed.box.folder, 'out.tar');
    await built(files, ['-o', `type=tar,dest=${archive}`]);
    expect((await output('tar', ['-tf', archive])).trim().split('\n')).toEqual(['dir/', 'dir/x', 'suid']);

    const oci = join(bed.box.folder, 'oci.tar');
    await built(files, ['-o', `type=oci,dest=${oci}`, '-t', 'named:1']);
    expect(JSON.parse(await output('skopeo', ['inspect', '--config', `oci-archive:${oci}`]))).toMatchObject({
      os: 'linux',
    });
    const docker = join(bed.box.folder, 'docker.tar');
    await built(files, ['-o', `type=docker,dest=${docker}`, '-t', 'named:1']);
    expect(await output('skopeo', ['inspect', `docker-archive:${docker}`])).toContain('sha256:');
  });

  test('--iidfile, --metadata-file and -q', async () => {
    const iid = join(bed.box.folder, 'iid');
    const metadata = join(bed.box.folder, 'metadata.json');
    const { stdout, stderr } = await built(files, ['-q', '--iidfile', iid, '--metadata-file', metadata, '-t', 'quiet']);
    const id = readFileSync(iid, 'utf8');
    expect([stdout, stderr]).toEqual([`${id}\n`, '']);
    expect(JSON.parse(readFileSync(metadata, 'utf8'))).toMatchObject({
      'containerimage.config.digest': id,
      'image.name': 'quiet:latest',
    });
  });

  test('the same digest twice with SOURCE_DATE_EPOCH and rewrite-timestamp', async () => {
    const reproducible: ContextFiles = {
      x: 'x',
      Dockerfile: 'FROM @busybox\nRUN echo x > /x\nWORKDIR /w\nCOPY x /made/x',
    };
    const digests = [];
    for (const name of ['one', 'two']) {
      const metadata = join(bed.box.folder, `${name}.json`);
      await built(reproducible, [
        ...['--no-cache', '--build-arg', 'SOURCE_DATE_EPOCH=1700000000', '--metadata-file', metadata],
        ...['--output', `type=image,name=same-${name},rewrite-timestamp=true`],
      ]);
      digests.push((JSON.parse(readFileSync(metadata, 'utf8')) as Record<string, string>)['containerimage.digest']);
    }
    expect(digests[0]).toBe(digests[1]);
    expect(await bed.box.ok('run --rm same-one stat -c %Y /x /made')).toBe('1700000000\n1700000000');
  });
});

describe('contexts', () => {
  test('a Dockerfile, and an archive, on standard input', async () => {
    const dockerfile = `FROM ${bed.image('busybox')}\nRUN echo piped > /x\n`;
    await bed.box.ok(['build', '-q', '-t', 'piped', '-'], { input: dockerfile });
    expect(await bed.box.ok('run --rm piped cat /x')).toBe('piped');

    const context = makeContext(bed.box.folder, {
      Dockerfile: `FROM ${bed.image('busybox')}\nCOPY . /all/`,
      'keep/a': 'a',
      'drop/b': 'b',
      '.dockerignore': 'drop',
    });
    await output('tar', ['-C', context, '-cf', `${context}.tar`, '.']);
    await bed.box.ok(['build', '-q', '-t', 'archived', '-'], { input: readFileSync(`${context}.tar`) });
    expect(await bed.box.ok(['run', '--rm', 'archived', 'ls', '-A', '/all'])).toBe('.dockerignore\nDockerfile\nkeep');
  });

  test('named ones, and a file of its own', async () => {
    const other = makeContext(bed.box.folder, { f: 'other' });
    const context = makeContext(bed.box.folder, {
      'sub/My.Dockerfile': 'FROM image\nCOPY --from=extra f /f\nCOPY --from=two /bin/true /true',
      x: '',
    });
    await bed.box.ok([
      ...['build', '-q', '-t', 'named-contexts', '-f', join(context, 'sub/My.Dockerfile')],
      ...['--build-context', `extra=${other}`, '--build-context', `image=docker-image://${bed.image('busybox')}`],
      ...['--build-context', `two=docker-image://${bed.image('busybox')}`, context],
    ]);
    expect(await bed.box.ok('run --rm named-contexts cat /f')).toBe('other');
  });
});

describe('what is said', () => {
  test('about a mistake in the Dockerfile, with line and column', async () => {
    const { status, stderr } = await build({ Dockerfile: 'FROM @busybox\n  RUNN echo' });
    expect(status).toBe(1);
    expect(stderr).toContain('Dockerfile:2:3\n');
    expect(stderr).toContain('dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)');
  });

  test('checks', async () => {
    const files = { Dockerfile: 'FROM @busybox as One\nENV a b\nCMD echo $UNKNOWN\nRUN true\ncopy Dockerfile /\n' };
    const { status, stdout } = await build(files, ['--check']);
    expect(status).toBe(1);
    for (const rule of [
      'StageNameCasing',
      'FromAsCasing',
      'LegacyKeyValueFormat',
      'JSONArgsRecommended',
      'ConsistentInstructionCasing',
    ]) {
      expect(stdout).toContain(`WARNING: ${rule} - `);
    }
    const skipping = await build({ Dockerfile: `# check=skip=all\n${files.Dockerfile}` }, ['--check']);
    expect([skipping.status, skipping.stdout]).toEqual([0, 'Check complete, no warnings found.\n']);
    const strict = await build({ Dockerfile: `# check=error=true\n${files.Dockerfile}` });
    expect([strict.status, strict.stderr]).toEqual([1, expect.stringContaining('lint violation found for rules')]);
  });

  test('to programs', async () => {
    const { stderr } = await built({ Dockerfile: 'FROM @busybox\nRUN echo said' }, [
      '--progress',
      'rawjson',
      '--no-cache',
    ]);
    const documents = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown[]>);
    const said = documents.flatMap(({ logs = [] }) => logs as { data: string }[]);
    expect(said.map(({ data }) => Buffer.from(data, 'base64').toString())).toContain('said\n');
  });
});

test('nothing is left of builds', () => {
  expect(readdirSync(join(bed.box.root, 'builds/under-way'))).toEqual([]);
  expect(readdirSync(bed.box.runtime, { recursive: true }).filter((name) => String(name).includes('secret'))).toEqual(
    [],
  );
});
