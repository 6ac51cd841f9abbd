# Limits change while the container runs; pause freezes its cgroup.
. test/vm/inside/check.sh
trun run -d --name box --memory 128m host sh -c 'while :; do sleep 0.2; done' >/dev/null
trun update --memory 64m --pids-limit 30 --cpus 0.5 --cpu-shares 100 box
now() { trun exec box cat "/sys/fs/cgroup/$1"; }
same "$(now memory.max)" 67108864
same "$(now pids.max)" 30
same "$(now cpu.max)" '50000 100000'
trun update --pids-limit -1 box
same "$(now pids.max)" max
same "$(status_of trun update --memory 64m --memory-swap 32m box)" 1
same "$(trun inspect --format '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}' box)" '67108864 500000000'
trun restart -t 0 box >/dev/null
same "$(now memory.max)" 67108864

trun pause box
cgroup=$(find /sys/fs/cgroup -type d -name "$(trun inspect --format '{{.Id}}' box)")
grep -q 'frozen 1' "$cgroup/cgroup.events"
trun unpause box
grep -q 'frozen 0' "$cgroup/cgroup.events"
trun pause box
trun rm -f box >/dev/null
[ ! -e "$cgroup" ] || fail 'its cgroup is left'

# One that was started without limits is moved into a cgroup, with all that it has started.
trun run -d --name free host sh -c 'sleep 1000 & while :; do sleep 0.2; done' >/dev/null
trun update --memory 48m free
cgroup=$(find /sys/fs/cgroup -type d -name "$(trun inspect --format '{{.Id}}' free)")
same "$(cat "$cgroup/memory.max")" 50331648
[ "$(wc -l <"$cgroup/cgroup.procs")" -ge 2 ] || fail 'not all of it was moved'
trun rm -f free >/dev/null
[ ! -e "$cgroup" ] || fail 'its cgroup is left'

# Want of memory is told.
trun run --name hog --memory 32m host tail /dev/zero >/dev/null 2>&1 && fail 'it lives'
trun events --since 1m --until 0s --filter container=hog --format '{{.Action}}' | grep -qx oom
trun rm hog >/dev/null
