/**
 * Bundles each process of trun into one CommonJS file under dist/: one file to read at start, nothing to resolve.
 * CommonJS because Node starts it some milliseconds faster than a module graph, and because lazily imported commands
 * stay unevaluated inside the one file.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { build, type Plugin } from 'esbuild';

const root = join(import.meta.dirname, '..');

/** Process (or worker thread) -> its entry module. */
const processes = {
  main: 'src/main.ts',
  agent: 'src/agent/main.ts',
  'image-server': 'src/image-server/main.ts',
  network: 'src/network/process/main.ts',
  inside: 'src/inside/main.ts',
  layer: 'src/storage/layer-process/main.ts',
  lazy: 'src/image/lazy/fetcher-main.ts',
  'unpack-worker': 'src/image/unpack/unpack-worker.ts',
  index: 'src/index.ts',
  oci: 'src/oci-runtime/main.ts',
};

const present = Object.fromEntries(Object.entries(processes).filter(([, file]) => existsSync(join(root, file))));

/**
 * What only some commands need and makes up most of the code (registries, archives, host checks): in files of its own, for
 * compiling one large bundle would cost every command 8 ms. A module that another file holds, too, is two modules then,
 * so none of these may throw errors that the program tells apart by their class.
 */
const APART = [
  ...[
    'build',
    'builder-prune',
    'bundle',
    'commit',
    'cp',
    'diff',
    'doctor',
    'export',
    'history',
    'images',
    'image-inspect',
    'image-prune',
    'system-prune',
    'image-verify',
    'import',
    'info',
    'inspect',
    'load',
    'login',
    'logout',
    'network-capture',
    'pull',
    'push',
    'rmi',
    'save',
    'search',
    'system-df',
    'tag',
  ].map((name) => `src/cli/commands/${name}.ts`),
  'src/cli/image/fetch-image.ts',
  'src/cli/image/lazy-state.ts',
  'src/image/reference.ts',
];

function partName(file: string): string {
  return `part-${basename(file, '.ts')}`;
}

const splitParts: Plugin = {
  name: 'split-parts',
  setup(bundling) {
    bundling.onResolve({ filter: /^\./ }, ({ path, resolveDir, kind }) => {
      const file = relative(root, join(resolveDir, path));
      return kind === 'dynamic-import' && APART.includes(file)
        ? { path: `./${partName(file)}.cjs`, external: true }
        : undefined;
    });
  },
};

const parts = Object.fromEntries(APART.map((file) => [partName(file), file]));

await build({
  absWorkingDir: root,
  entryPoints: { ...present, ...parts },
  plugins: [splitParts],
  outdir: 'dist/.new',
  outExtension: { '.js': '.cjs' },
  bundle: true,
  platform: 'node',
  // `using` as it is: lowered by esbuild, an error of one turn of a loop is thrown again by the next.
  target: 'node24',
  supported: { using: true, 'dynamic-import': false },
  format: 'cjs',
  conditions: ['source'],
  external: ['koffi', '@koromix/*'],
  define: { 'import.meta.dirname': '__dirname', 'import.meta.filename': '__filename' },
  legalComments: 'none',
  // Comments and indentation are a quarter of a bundle, which each process keeps in memory. Names stay, for stack traces.
  minifyWhitespace: true,
  lineLimit: 120,
  logLevel: 'warning',
});

// Each bundle changes at once: a command that runs meanwhile finds the old ones or the new ones.
for (const name of Object.keys({ ...present, ...parts }))
  renameSync(join(root, `dist/.new/${name}.cjs`), join(root, `dist/${name}.cjs`));
rmSync(join(root, 'dist/.new'), { recursive: true });
