#!/bin/sh
# fuse-overlayfs' own test scripts, with examples/overlay-mount in the place of fuse-overlayfs.
#
#   sh test/suites/fuse-overlayfs.sh SOURCE [NAME…]
#
# SOURCE is a checkout of https://github.com/containers/fuse-overlayfs, NAME one of its tests/test-NAME.sh (default: all that need
# no container engine). As root everything is tried; as an ordinary user, in a user namespace of a single id, the scripts that
# change owners give up. Needs attr, acl, gcc, python3; for mmap and passthrough fuse2fs and root. FUSE_OVERLAYFS=PROGRAM
# tries another program. Prints a line for each script; logs are kept in the folder that the last line names.
set -eu
[ $# -ge 1 ] || { echo "usage: $0 SOURCE [NAME…]" >&2; exit 125; }
source=$(readlink -f "$1")
shift
[ $# -gt 0 ] || set -- copyup dir-ops hardlinks readonly rename special-files symlinks xattr mmap passthrough stress
here=$(dirname "$(readlink -f "$0")")
program=${FUSE_OVERLAYFS:-$here/../../examples/overlay-mount/overlay-mount}
scratch=$(mktemp -d)
mkdir "$scratch/bin" "$scratch/run"
printf '#!/bin/sh\nexec "%s" "$@"\n' "$program" > "$scratch/bin/fuse-overlayfs"
chmod 755 "$scratch/bin/fuse-overlayfs"
namespaces=-mpf
[ "$(id -u)" = 0 ] || namespaces=-rmpf
PATH=$scratch/bin:$PATH
export PATH
cd "$scratch/run"
failed=0
for name in "$@"; do
  if unshare "$namespaces" --kill-child --mount-proc timeout 1800 bash "$source/tests/test-$name.sh" > "$scratch/$name.log" 2>&1
  then echo "passed: $name"
  else echo "FAILED: $name ($(grep '^=== Test' "$scratch/$name.log" | tail -n 1))"; failed=1
  fi
done
echo "logs: $scratch"
exit $failed
