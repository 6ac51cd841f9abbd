# Without limits nothing is said, and nobody is moved anywhere.
. test/vm/inside/check.sh
same "$(trun run --rm host echo hello 2>&1)" hello
systemctl --user is-active trun.scope >/dev/null && fail 'a scope without need'
trun info | grep -i 'no limits' && fail 'limits are to be had here'
trun doctor | grep -E '^ok +limits'
