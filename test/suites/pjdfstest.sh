#!/bin/sh
# pjdfstest (POSIX semantics, some 8,800 checks) as root of a container, in its own file system.
#
#   sh test/suites/pjdfstest.sh SOURCE [kernel|fuse [TEST…]]
#
# SOURCE is a checkout of https://github.com/pjd/pjdfstest that is built (autoreconf -ifs && ./configure && make); the
# second word chooses the writable layer, further ones tests (`rename`, `open/06.t`; default: all). Needs prove (Debian: perl)
# and subordinate ids. Exits as prove does: 0 when everything passes.
set -eu
[ $# -ge 1 ] || { echo "usage: $0 SOURCE [kernel|fuse [TEST…]]" >&2; exit 125; }
source=$(readlink -f "$1")
layer=${2:-kernel}
[ $# -lt 2 ] && shift 1 || shift 2
here=$(dirname "$(readlink -f "$0")")
[ -x "$source/pjdfstest" ] || { echo "$0: $source/pjdfstest is not built" >&2; exit 125; }
tests=
for each in "${@:-.}"; do tests="$tests $source/tests/$each"; done
exec "$here/../../bin/trun" run --rm --security-opt seccomp=unconfined --storage-opt "writable=$layer" host \
  sh -c "mkdir /pjdfstest && cd /pjdfstest && exec prove -Q -r $tests"
