# Out of memory: exit status 137, and inspect says why.
. test/vm/inside/check.sh
same "$(status_of trun run --name hog --memory 32m host tail /dev/zero)" 137
same "$(trun inspect --format '{{.State.OOMKilled}} {{.State.ExitCode}}' hog)" 'true 137'
same "$(trun inspect --format '{{.HostConfig.Memory}}' hog)" 33554432

# A second start gets a cgroup of its own and the same end.
trun start hog >/dev/null
same "$(trun wait hog)" 137
trun rm hog >/dev/null

# One that is killed otherwise did not run out of memory.
trun run -d --name quiet --memory 64m host sleep 1000 >/dev/null
same "$(trun exec quiet cat /sys/fs/cgroup/memory.max)" 67108864
same "$(trun exec quiet cat /proc/self/cgroup)" 0::/
trun exec quiet sh -c 'echo max >/sys/fs/cgroup/memory.max' 2>/dev/null && fail 'a container lifts its own limit'
trun kill quiet >/dev/null
same "$(trun wait quiet)" 137
same "$(trun inspect --format '{{.State.OOMKilled}}' quiet)" false
trun rm quiet >/dev/null

find /sys/fs/cgroup -path '*trun.scope*' -type d ! -name agent ! -name trun.scope | grep . && fail 'a cgroup is left'
true
