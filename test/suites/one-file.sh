#!/bin/sh
# What fsx does (test/helpers/file-model/one_file.py), and writes that fio verifies, on a file of a container with each
# writable layer.
#
#   sh test/suites/one-file.sh [SECONDS [SEED]]
#
# SECONDS is for each program and layer (default 600). Needs python3 and fio on the host, whose root the container has below.
set -eu
seconds=${1:-600}
seed=${2:-$(date +%s)}
here=$(dirname "$(readlink -f "$0")")
trun=$here/../../bin/trun
program=$(readlink -f "$here/../helpers/file-model/one_file.py")
command -v fio > /dev/null || { echo "$0: fio is not installed (Debian: fio)" >&2; exit 125; }
failed=0
for layer in kernel fuse; do
  echo "$layer: one file, seed $seed, $seconds s"
  "$trun" run --rm --storage-opt "writable=$layer" host python3 -B "$program" "$seed" 0 "$seconds" /one-file || failed=1
  echo "$layer: fio with verification, $seconds s"
  "$trun" run --rm --storage-opt "writable=$layer" host sh -c "mkdir /fio && cd /fio && fio --output-format=terse --terse-version=3 \
    --directory=/fio --size=64m --verify=crc32c --verify_fatal=1 --time_based --runtime=$seconds --group_reporting \
    --name=random --rw=randwrite --bs=4k-64k --ioengine=psync --numjobs=2 --fsync=64 \
    --name=mapped --rw=randwrite --bs=4k --ioengine=mmap \
    --name=appended --rw=write --bs=1m --ioengine=psync > /dev/null && echo verified" || failed=1
done
exit $failed
