/**
 * `build` of a Dockerfile of twelve instructions, with stand-ins for its apt and npm steps, beside `buildah build` with layers
 * cached: cold, all cached, one source file changed; interleaved: the part `build` of `npm run bench:images`.
 *
 * buildah runs its programs by `--isolation chroot`, which makes no container and is the fastest that it has.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeContext } from '../helpers/build-context.ts';
import { output } from '../helpers/command.ts';
import { imageReference, startImageRegistry } from '../helpers/images.ts';
import { launcher } from '../helpers/paths.ts';
import { Sandbox } from '../helpers/sandbox.ts';
import { type Contestant, printComparison, race } from './race.ts';

export async function benchBuild(rounds: number): Promise<void> {
  await using box = new Sandbox();
  await using registry = await startImageRegistry(['debian']);
  const base = imageReference(registry, 'debian');
  const sources = Object.fromEntries(
    Array.from({ length: 300 }, (_, i) => [`src/module-${i % 20}/file-${i}.js`, `exports.x = ${i};\n`.repeat(50)]),
  );
  const context = makeContext(box.folder, {
    ...sources,
    'package.json': '{"name":"app"}',
    Dockerfile: [
      `FROM ${base} AS build`,
      'ENV LANG=C.UTF-8 NODE_ENV=production',
      // As apt-get install: some hundred files, and the package database written anew.
      'RUN mkdir -p /opt/packages && cp -r /usr/share/perl5 /usr/share/doc /opt/packages/ && cp /var/lib/dpkg/status /var/lib/dpkg/status.new && mv /var/lib/dpkg/status.new /var/lib/dpkg/status',
      'WORKDIR /app',
      'COPY package.json .',
      // As npm ci: thousands of small files.
      'RUN mkdir node_modules && cd node_modules && for i in $(seq 200); do mkdir -p p$i/lib && for j in 1 2 3 4 5 6 7 8 9; do echo "module $i $j" > p$i/lib/$j.js; done; done',
      'COPY src ./src',
      'RUN cat src/*/*.js > bundle.js && sha256sum bundle.js > bundle.sum',
      `FROM ${base}`,
      'COPY --from=build /app /app',
      'RUN useradd -m app && chown app /app/bundle.js',
      'CMD ["/app/bundle.js"]',
    ].join('\n'),
  });

  const buildahFolder = join(box.folder, 'buildah');
  mkdirSync(join(buildahFolder, 'run'), { recursive: true, mode: 0o700 });
  const buildahOptions = [
    '--root',
    join(buildahFolder, 'root'),
    '--runroot',
    join(buildahFolder, 'run'),
    '--storage-driver',
    'overlay',
  ];
  const buildahEnv = { ...box.env, TRUN_ROOT: undefined, XDG_RUNTIME_DIR: join(buildahFolder, 'run') };

  let change = 0;

  function touch(): Promise<void> {
    writeFileSync(join(context, 'src/module-1/file-1.js'), `exports.x = ${++change};\n`);
    return Promise.resolve();
  }

  function contestants(cached: boolean, before?: () => Promise<void>): Contestant[] {
    const change = before === undefined ? {} : { before };
    const words = cached ? [] : ['--no-cache'];
    return [
      { name: 'trun', command: [launcher, 'build', '-q', ...words, '-t', 'bench', context], env: box.env, ...change },
      {
        name: 'buildah',
        command: [
          ...['buildah', ...buildahOptions, 'build', '-q', '--isolation', 'chroot', '--tls-verify=false', '--layers'],
          ...[...words, '-t', 'bench', context],
        ],
        env: buildahEnv,
        ...change,
      },
    ];
  }

  try {
    printComparison('build, nothing cached (at most 0.9)', await race(contestants(false), rounds));
    printComparison('build, all cached (at most 0.3)', await race(contestants(true), rounds));
    printComparison('build, one source file changed (at most 0.6)', await race(contestants(true, touch), rounds));
  } finally {
    await output('buildah', [...buildahOptions, 'unshare', 'rm', '-rf', join(buildahFolder, 'root')], {
      env: buildahEnv,
      timeout: 600_000,
    });
  }
}
