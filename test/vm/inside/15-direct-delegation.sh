# A cgroup that was handed to us serves where no systemd can be reached; not, while others live in it.
. test/vm/inside/check.sh
without_systemd() {
  systemd-run --user --scope --quiet -p Delegate=yes env DBUS_SESSION_BUS_ADDRESS= XDG_RUNTIME_DIR=/nowhere "$@"
}
enter="exec node --no-warnings test/vm/inside/enter.ts"
memory="'{\"memory\":33554432}'"
same "$(without_systemd sh -c "$enter $memory")" "trun /trun/agent
33554432"

without_systemd sh -c "sleep 60 >/dev/null 2>&1 & $enter $memory" >/tmp/refusal
cat /tmp/refusal
grep -q '^Cannot limit memory: the cgroup .* is yours to divide, but other processes live in it\. ' /tmp/refusal

# A part that was handed on without the cpu controller.
without_systemd sh -c "
  scope=/sys/fs/cgroup\$(cut -d: -f3 /proc/self/cgroup)
  mkdir \$scope/part && echo \$\$ >\$scope/part/cgroup.procs && echo +memory >\$scope/cgroup.subtree_control
  $enter '{\"cpus\":1,\"pids\":5}'" >/tmp/refusal
cat /tmp/refusal
grep -q '^Cannot limit cpu, pids: the cgroup controllers cpu, pids are not delegated to you\. .*Delegate=cpu cpuset' /tmp/refusal
grep -q '^the cgroup controllers cpu, pids are not delegated to you$' /tmp/refusal
