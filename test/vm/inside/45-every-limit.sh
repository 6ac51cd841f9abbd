# Each further limit stands in the container's cgroup, and bites.
. test/vm/inside/check.sh
limited() { # FILE OPTION...: what the file says in a container with the options
  file=$1
  shift
  trun run --rm "$@" host cat "/sys/fs/cgroup/$file"
}
same "$(limited memory.low --memory 64m --memory-reservation 32m)" 33554432
same "$(limited cpu.max --cpu-quota 20000 --cpu-period 50000)" '20000 50000'
same "$(limited cpu.weight --cpu-shares 512)" 20
same "$(limited cpuset.cpus --cpuset-cpus 0)" 0
same "$(trun run --rm --cpuset-cpus 0 host grep Cpus_allowed_list /proc/self/status)" 'Cpus_allowed_list:	0'
same "$(limited memory.swap.max --memory 32m --memory-swap 48m)" 16777216

# Weights share out one processor.
busy='while :; do :; done'
trun run -d --name heavy --cpuset-cpus 0 --cpu-shares 2048 host sh -c "$busy" >/dev/null
trun run -d --name light --cpuset-cpus 0 --cpu-shares 128 host sh -c "$busy" >/dev/null
used() { trun exec "$1" sed -n 's/^usage_usec //p' /sys/fs/cgroup/cpu.stat; }
h=$(used heavy) l=$(used light)
sleep 6
h=$(($(used heavy) - h)) l=$(($(used light) - l))
echo "heavy $h light $l"
[ "$h" -gt $((3 * l)) ] || fail 'weights do not count'
trun stats --no-stream --format '{{.Name}} {{.PIDs}} {{.CPUPerc}}' heavy | grep -E '^heavy 1 [0-9.]+%$'
trun rm -f heavy light >/dev/null

# A disk that gives 200 kilobytes a second takes its time for four megabytes.
dd if=/dev/urandom of="$HOME/four" bs=1M count=4 2>/dev/null
sync
device=/dev/$(lsblk -no PKNAME "$(findmnt -no SOURCE -T "$HOME")" | head -n 1)
[ "$device" != /dev/ ] || device=$(findmnt -no SOURCE -T "$HOME")
took() { # OPTION...: seconds that reading takes
  trun run --rm -v "$HOME/four:/four" "$@" host sh -c '
    read -r from _ </proc/uptime
    dd if=/four of=/dev/null bs=256k iflag=direct 2>/dev/null
    read -r to _ </proc/uptime
    echo $((${to%.*} - ${from%.*}))'
}
free=$(took --pids-limit 50) slow=$(took --device-read-bps "$device:200kb")
echo "free $free s, slow $slow s"
[ "$slow" -ge 15 ] && [ "$free" -lt 15 ] || fail 'the rate does not count'
rm "$HOME/four"

# A weight of block devices takes a scheduler that knows it: else one line says so.
trun run --rm --blkio-weight 100 host true >/tmp/weight 2>&1 || grep -E '^trun: Cannot limit io: this kernel has no io.weight' /tmp/weight
