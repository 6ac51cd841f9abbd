# Forks fail at the limit, and processor time is shared out.
. test/vm/inside/check.sh
output=$(trun run --rm --pids-limit 15 host sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do sleep 5 & done' 2>&1 || true)
echo "$output" | grep -i 'cannot fork'
same "$(trun run --rm --pids-limit 15 host cat /sys/fs/cgroup/pids.max)" 15

same "$(trun run --rm --cpus 0.5 host cat /sys/fs/cgroup/cpu.max)" '50000 100000'
trun run --rm --cpus 0.1 host sh -c 'timeout 3 sh -c "while :; do :; done"; grep throttled /sys/fs/cgroup/cpu.stat' >/tmp/throttled
same "$(awk '$1 == "nr_throttled" { print ($2 > 5) }' /tmp/throttled)" 1
