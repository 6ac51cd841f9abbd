# A cgroup that was handed to us serves where no systemd can be reached; not, while others live in it.
. test/vm/inside/check.sh
without_systemd() {
  systemd-run --user --scope --quiet -p Delegate=yes env DBUS_SESSION_BUS_ADDRESS= XDG_RUNTIME_DIR=/nowhere "$@"
}
enter='exec node --no-warnings test/vm/inside/enter.ts'
same "$(without_systemd sh -c "$enter")" "trun /trun/agent
33554432"
without_systemd sh -c "sleep 60 >/dev/null & $enter" >/tmp/refusal
cat /tmp/refusal
grep -q '^Cannot limit memory: the cgroup .* is yours to divide, but other processes live in it\. ' /tmp/refusal
