/**
 * What is measured: shell scripts over the tree at `$M`; `$W` is the bench's work directory outside of it, which has what
 * fixtures.ts makes. A row that lacks a fixture is left out.
 */

export interface Row {
  readonly name: string;
  readonly script: string;
  /** What it is held against: names and attributes, contents, programs that do both. */
  readonly kind: 'metadata' | 'data' | 'program';
  /** Mount anew just before, and with `cold` drop the kernel's caches, too; otherwise it runs on the mount of the rows before it. */
  readonly state?: 'fresh' | 'cold';
  /** `elsewhere`: it needs nothing of the tree, so the bare directory can do it in an empty folder. */
  readonly writes?: true | 'elsewhere';
  /** Runs before, unmeasured. */
  readonly before?: string;
  /** Only with the names and attributes dropped, too. */
  readonly needsRoot?: true;
  /** A path in the work directory without which it can't run. */
  readonly needs?: string;
}

const walk = 'find "$M" -printf %s > /dev/null';
const tar = 'tar -C "$M" --exclude=bench.large -cf - . | cat > /dev/null';
/** In a mount namespace of its own, where the tree has /dev and /proc. */
const chroot =
  'unshare -m sh -c \'mount --rbind /dev "$M/dev" && mount --rbind /proc "$M/proc" && exec chroot "$M" env -i ' +
  'PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C HOME=/ "$@"\' sh';

export const rows: readonly Row[] = [
  { name: 'walk cold', kind: 'metadata', script: walk, state: 'cold', needsRoot: true },
  { name: 'walk fresh', kind: 'metadata', script: walk, state: 'fresh' },
  { name: 'walk warm', kind: 'metadata', script: walk },
  { name: 'ls -lR warm', kind: 'metadata', script: 'ls -lR "$M" > /dev/null' },
  { name: 'tar cold', kind: 'data', script: tar, state: 'cold' },
  { name: 'tar fresh', kind: 'data', script: tar, state: 'fresh' },
  { name: 'tar warm', kind: 'data', script: tar },
  { name: 'exec x 200', kind: 'data', script: 'n=0; while [ $n -lt 200 ]; do "$M/bench.true"; n=$((n+1)); done' },
  {
    name: '4 clients fresh',
    kind: 'data',
    script: `for client in 1 2 3 4; do ${tar} & done; wait`,
    state: 'fresh',
  },
  { name: 'read large fresh', kind: 'data', script: 'cat "$M/bench.large" > /dev/null', state: 'fresh' },
  { name: 'read large warm', kind: 'data', script: 'cat "$M/bench.large" > /dev/null' },
  {
    name: 'random 4k reads',
    kind: 'data',
    state: 'fresh',
    script:
      'fio --name=r --filename="$M/bench.large" --readonly --rw=randread --bs=4k --io_size=16m --randseed=7 ' +
      '--ioengine=psync --invalidate=0 > /dev/null',
  },
  {
    name: 'git status',
    kind: 'metadata',
    before: 'git -C "$M/bench.git" status',
    script: 'git -C "$M/bench.git" status',
    needs: 'source/bench.git',
    state: 'fresh',
    writes: true,
  },
  { name: 'untar 10k', kind: 'metadata', script: 'tar -C "$M" -xf "$W/10k.tar"', state: 'fresh', writes: 'elsewhere' },
  { name: 're-read those', kind: 'data', script: 'tar -C "$M/10k" -cf - . | cat > /dev/null', writes: 'elsewhere' },
  { name: 'cp -a those', kind: 'metadata', script: 'cp -a "$M/10k" "$M/copy"', writes: 'elsewhere' },
  { name: 'rm -rf those', kind: 'metadata', script: 'rm -rf "$M/10k" "$M/copy"', writes: 'elsewhere' },
  {
    name: 'append to 500',
    kind: 'data',
    state: 'fresh',
    writes: true,
    before: 'find "$M" -type f -size -64k | sort | head -500 > "$W/list"',
    script: 'while read -r f; do echo x >> "$f"; done < "$W/list"',
  },
  {
    name: 'rm -rf lower',
    kind: 'metadata',
    state: 'fresh',
    writes: true,
    script: 'find "$M" -mindepth 1 -maxdepth 1 ! -name "bench.*" -exec rm -rf {} +',
  },
  {
    name: 'write large',
    kind: 'data',
    state: 'fresh',
    writes: 'elsewhere',
    script: 'dd if="$W/source/bench.large" of="$M/written" bs=1M status=none',
  },
  { name: 'read written', kind: 'data', writes: 'elsewhere', script: 'cat "$M/written" > /dev/null' },
  {
    name: 'write 64 MiB by 4k',
    kind: 'data',
    writes: 'elsewhere',
    script: 'dd if=/dev/zero of="$M/small" bs=4k count=16384 status=none',
  },
  {
    name: 'npm ci',
    kind: 'program',
    state: 'fresh',
    writes: 'elsewhere',
    needs: 'npm/package.json',
    before: 'cp -r "$W/npm" "$M/project"',
    script: 'cd "$M/project" && npm ci --offline --cache="$W/npm-cache" --ignore-scripts --no-audit --no-fund --silent',
  },
  {
    name: 'apt-get install',
    kind: 'program',
    state: 'fresh',
    writes: true,
    needs: 'source/bench.packages',
    script:
      `${chroot} apt-get install -y -q --no-install-recommends -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 ` +
      `-o Dir::Cache::archives=/bench.packages $(cat "$W/packages") > "$W/apt.log" 2>&1 || { tail "$W/apt.log" >&2; false; }`,
  },
  {
    name: 'C build',
    kind: 'program',
    writes: true,
    needs: 'source/bench.packages',
    script: `${chroot} make -s -C /bench.c`,
  },
];
