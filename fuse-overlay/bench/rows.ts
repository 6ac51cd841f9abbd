/** What is measured: shell scripts over the tree at `$M`; `$S` is a scratch directory outside of it. */

export interface Row {
  readonly name: string;
  readonly script: string;
  /** Mount anew just before; otherwise it runs on the mount of the rows before it. */
  readonly fresh?: true;
  readonly writes?: true;
  /** Runs before, unmeasured. */
  readonly before?: string;
}

export const rows: readonly Row[] = [
  { name: 'walk fresh', script: 'find "$M" -printf %s > /dev/null', fresh: true },
  { name: 'walk warm', script: 'find "$M" -printf %s > /dev/null' },
  { name: 'ls -lR warm', script: 'ls -lR "$M" > /dev/null' },
  { name: 'tar fresh', script: 'tar -C "$M" --exclude=bench.large -cf - . | cat > /dev/null', fresh: true },
  { name: 'tar warm', script: 'tar -C "$M" --exclude=bench.large -cf - . | cat > /dev/null' },
  { name: 'exec x 200', script: 'n=0; while [ $n -lt 200 ]; do "$M/bench.true"; n=$((n+1)); done' },
  { name: 'read large fresh', script: 'cat "$M/bench.large" > /dev/null', fresh: true },
  { name: 'read large warm', script: 'cat "$M/bench.large" > /dev/null' },
  {
    name: 'random 4k',
    fresh: true,
    script:
      'fio --name=r --filename="$M/bench.large" --readonly --rw=randread --bs=4k --io_size=16m --randseed=7 ' +
      '--ioengine=psync --invalidate=0 > /dev/null',
  },
  {
    name: 'untar 10k',
    script: 'tar -C "$M" -xf "$S/10k.tar"',
    fresh: true,
    writes: true,
  },
  { name: 're-read those', script: 'tar -C "$M/10k" -cf - . | cat > /dev/null', writes: true },
  { name: 'rm -rf those', script: 'rm -rf "$M/10k"', writes: true },
  {
    name: 'append to 500',
    fresh: true,
    writes: true,
    before: 'find "$M" -type f -size -64k | sort | head -500 > "$S/list"',
    script: 'while read -r f; do echo x >> "$f"; done < "$S/list"',
  },
];
