#!/bin/sh
# pjdfstest (POSIX semantics, some 8,800 checks) as root of a container, in its own file system with both writable layers,
# and in a bare folder of the host that is a volume of the container.
#
#   sh test/suites/pjdfstest.sh SOURCE [TEST…]
#
# SOURCE is a checkout of https://github.com/pjd/pjdfstest that is built (autoreconf -ifs && ./configure && make), TEST a
# folder or file below its tests (`rename`, `open/06.t`; default: all). Needs subordinate ids. In a container no device can be made
# (vfs_mknod wants the real root), so the checks that need one fail everywhere. Prints the failures that a layer has and the bare
# folder has not; exits with 1 where there are any but those in pjdfstest.known.
set -eu
[ $# -ge 1 ] || { echo "usage: $0 SOURCE [TEST…]" >&2; exit 125; }
source=$(readlink -f "$1")
shift
here=$(dirname "$(readlink -f "$0")")
[ -x "$source/pjdfstest" ] || { echo "$0: $source/pjdfstest is not built" >&2; exit 125; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/bare"

# Inside: runs each file in a folder of its own, and prints `FILE NUMBER` for each check that failed.
cat > "$scratch/inside.sh" <<'END'
mkdir -p /pjdfstest/run && cd /pjdfstest/run
total=0
for file in $(cd "$SOURCE/tests" && find "${@:-.}" -name '*.t' | sed 's,^\./,,' | sort); do
  sh "$SOURCE/tests/$file" 2>/dev/null > /tmp/tap
  total=$((total + $(grep -c -E '^(not )?ok' /tmp/tap)))
  sed -n -E "/# TODO/d; s,^not ok ([0-9]+).*,$file \1,p" /tmp/tap
done
echo "checks $total"
END

run() {
  layer=$1
  shift
  options="--storage-opt writable=$layer"
  [ "$layer" != bare ] || options="-v $scratch/bare:/pjdfstest"
  # shellcheck disable=SC2086 # words
  "$here/../../bin/trun" run --rm -e "SOURCE=$source" $options -v "$scratch/inside.sh:/inside.sh:ro" host \
    sh /inside.sh "$@" > "$scratch/$layer.out"
}

status=0
for layer in bare kernel fuse; do
  run "$layer" "$@"
  grep -v '^checks' "$scratch/$layer.out" | sort > "$scratch/$layer.failed" || :
  echo "$layer: $(sed -n 's/^checks //p' "$scratch/$layer.out") checks, $(wc -l < "$scratch/$layer.failed") failed"
  [ "$layer" != bare ] || continue
  comm -13 "$scratch/bare.failed" "$scratch/$layer.failed" > "$scratch/more"
  while read -r file number; do
    if reason=$(grep -E "^$layer $file $number:" "$here/pjdfstest.known"); then
      echo "  known: $file $number:${reason#*:}"
    else
      echo "  FAILED: $file $number"
      status=1
    fi
  done < "$scratch/more"
done
exit $status
