# For the scripts beside this one.
fail() {
  echo "FAILED: $*"
  exit 1
}
same() { # ACTUAL EXPECTED
  [ "$1" = "$2" ] || fail "got '$1', not '$2'"
}
status_of() { # COMMAND...: prints its exit status
  set +e
  "$@" >/dev/null 2>&1
  echo $?
}
within() { # SECONDS COMMAND...: until it succeeds
  left=$(($1 * 4))
  shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ $left -gt 0 ] || fail "never true: $*"
    sleep 0.25
  done
}
