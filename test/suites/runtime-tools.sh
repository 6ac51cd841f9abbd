#!/bin/sh
# Runs the validation programs of opencontainers/runtime-tools against runtimes, as root, and prints a row for each program.
#
#     sh test/suites/runtime-tools.sh FOLDER RUNTIME…
#
# FOLDER holds a checkout of https://github.com/opencontainers/runtime-tools at 260e151, which builds without network with
# Debian's golang-go. crun refuses hosts with cgroups of both versions: run it under
# `unshare -m sh -c 'umount /sys/fs/cgroup/unified; exec sh …'`.
#
# pass   every assertion holds
# fail   one does not, or the program ends with an error
# -      the program asserts nothing where all is well (its messages are in FOLDER/results)
set -eu
[ $# -ge 2 ] || { sed -n '2,6p' "$0" >&2; exit 2; }
cd "$1"
shift
[ "$(git rev-parse --short=7 HEAD)" = 260e151 ] || { echo "$PWD is not at 260e151: git checkout 260e151" >&2; exit 2; }
if ! [ -x runtimetest ] || ! [ -x validation/state/state.t ]; then
  make runtimetest validation-executables >/dev/null
fi
mkdir -p results
echo "program $*"
for test in $(find validation -name '*.t' | sort); do
  name=$(basename "$test" .t)
  row=$name
  for runtime in "$@"; do
    log=results/$name.$(basename "$runtime")
    status=0
    RUNTIME=$runtime timeout 120 "$test" >"$log" 2>&1 || status=$?
    if [ $status != 0 ] || grep -q '^not ok' "$log"; then
      row="$row fail"
    elif grep -q '^ok' "$log"; then
      row="$row pass"
    else
      row="$row -"
    fi
  done
  echo "$row"
done
