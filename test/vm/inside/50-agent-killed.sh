# The agent may be killed: containers with limits live on, and its successor finds its way back.
. test/vm/inside/check.sh
trun run -d --name lives --memory 64m host sleep 1000 >/dev/null
scope=/sys/fs/cgroup$(systemctl --user show --value -p ControlGroup trun.scope)
agent() {
  for pid in $(cat "$scope/agent/cgroup.procs"); do
    if grep -q '^trun-agent' "/proc/$pid/cmdline"; then echo "$pid"; fi
  done
}
first=$(agent)
[ -n "$first" ] || fail 'no agent in its leaf'
kill -9 "$first"
within 20 trun exec lives true
[ "$(agent)" != "$first" ] || fail 'the agent lives'
same "$(trun inspect --format '{{.State.Running}}' lives)" true
same "$(status_of trun run --rm --memory 32m host tail /dev/zero)" 137
trun rm -f lives >/dev/null
