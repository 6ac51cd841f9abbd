# trun-oci on cgroup v2, as an ordinary user: systemd's scopes, limits that bite, pausing, updating.
. test/vm/inside/check.sh
work=$(mktemp -d)
mkdir -p "$work/b/rootfs/usr" "$work/b/rootfs/proc" "$work/b/rootfs/sys" "$work/b/rootfs/dev"
for name in bin lib lib64; do ln -s "usr/$name" "$work/b/rootfs/$name"; done
cd "$work/b"
trun-oci spec --rootless

# config ARGS-AS-JSON RESOURCES-AS-JSON [CGROUPS-PATH]
config() {
  node -e "
    const fs = require('fs');
    const spec = JSON.parse(fs.readFileSync('config.json'));
    spec.process.terminal = false;
    spec.process.args = JSON.parse(process.argv[1]);
    spec.linux.resources = JSON.parse(process.argv[2]);
    spec.linux.cgroupsPath = process.argv[3] ?? '';
    spec.mounts = spec.mounts.filter(({ destination }) => destination !== '/usr');
    spec.mounts.push({ destination: '/usr', type: 'bind', source: '/usr', options: ['rbind', 'ro'] });
    fs.writeFileSync('config.json', JSON.stringify(spec));
  " -- "$@"
}
cgroup_of() { # ID
  pid=$(trun-oci state "$1" | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')
  echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")"
}

config '["sleep", "1000"]' '{"memory": {"limit": 33554432}, "pids": {"limit": 7}, "cpu": {"shares": 512, "quota": 20000, "period": 100000}}' 'app.slice:trun:limited'
trun-oci --systemd-cgroup create limited </dev/null >"$work/out" 2>&1 || fail "$(cat "$work/out")"
trun-oci start limited
cgroup=$(cgroup_of limited)
case $cgroup in */app.slice/trun-limited.scope) ;; *) fail "in $cgroup" ;; esac
same "$(cat "$cgroup/memory.max")" 33554432
same "$(cat "$cgroup/pids.max")" 7
same "$(cat "$cgroup/cpu.max")" '20000 100000'
same "$(cat "$cgroup/cpu.weight")" 20

trun-oci pause limited
trun-oci state limited | grep -q '"status": "paused"' || fail 'not paused'
same "$(cat "$cgroup/cgroup.freeze")" 1
trun-oci resume limited
echo '{"memory": {"limit": 67108864}}' | trun-oci update --resources - limited
same "$(cat "$cgroup/memory.max")" 67108864
trun-oci events --stats limited | grep -q '"limit":67108864' || fail 'events do not know the limit'
trun-oci exec limited sh -c 'cat /proc/self/cgroup' >"$work/out"
trun-oci delete --force limited
[ -e "$cgroup" ] && fail "$cgroup is left"

# The memory limit bites.
config '["tail", "/dev/zero"]' '{"memory": {"limit": 33554432, "swap": 33554432}}' 'app.slice:trun:hog'
same "$(status_of trun-oci --systemd-cgroup run hog)" 137

# Without systemd and limits, the user's containers have no cgroup, and no error for it.
config '["true"]' '{}' ''
trun-oci run plain </dev/null
rm -rf "$work"
