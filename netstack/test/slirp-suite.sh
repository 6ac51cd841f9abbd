#!/bin/sh
# slirp4netns' own tests, against examples/slirp in its place.
#
#     netstack/test/slirp-suite.sh FOLDER [TEST…]     FOLDER: a checkout of slirp4netns; TEST: test-slirp4netns-configure.sh …
#
# As an ordinary user, with ncat, jq, iproute2 and busybox installed. 77 is a skipped test. Not to be passed: the two of
# --enable-sandbox and the one of --enable-seccomp (Node can enter neither), and -dhcp, which gives the command 20 ms to start.
set -eu
checkout=$(cd "$1" && pwd)
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
for tool in ping udhcpc; do
	command -v $tool >/dev/null || ln -s "$(command -v busybox)" "$work/bin/$tool"
done
cat >"$work/bin/slirp4netns" <<END
#!/bin/sh
exec "$root/node_modules/.bin/node" --no-warnings --conditions=source "$root/examples/slirp/slirp.ts" "\$@"
END
chmod +x "$work/bin/slirp4netns"
cp -r "$checkout/tests" "$work/tests"
cd "$work/tests"
[ $# -gt 0 ] || set -- test-*.sh
failed=0
for test; do
	status=0
	PATH=$work/bin:$PATH timeout -k 1 60 bash "./$test" >"$test.log" 2>&1 </dev/null || status=$?
	echo "$test $status"
	case $status in 0 | 77) ;; *) failed=1 && tail -n 5 "$test.log" | sed 's/^/    /' ;; esac
done
exit $failed
