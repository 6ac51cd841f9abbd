#!/bin/sh
# Builds src/monitor/bin/monitor-{x64,arm64} from the one C source; with --check compares them with what is checked in.
# Reproducible: no libc, no build id, no timestamps. Needs Debian's gcc and gcc-aarch64-linux-gnu.
set -eu
cd "$(dirname "$0")/../src/monitor"
out=bin
[ "${1-}" = --check ] && out=$(mktemp -d) && trap 'rm -rf "$out"' EXIT
status=0
for pair in x64:x86_64-linux-gnu-gcc arm64:aarch64-linux-gnu-gcc; do
  arch=${pair%%:*} cc=${pair#*:}
  if ! command -v "$cc" >/dev/null; then
    echo "build-monitor: $cc is not installed: monitor-$arch not built" >&2
    [ "$out" = bin ] && exit 1
    continue
  fi
  "$cc" -std=gnu11 -Os -Wall -Wextra -Werror -static -nostdlib -ffreestanding -fno-stack-protector -fno-pic -no-pie \
    -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-ident -fno-builtin \
    -Wl,--build-id=none,-z,noseparate-code,-z,noexecstack -s monitor.c -o "$out/monitor-$arch"
  if [ "$out" != bin ] && ! cmp "bin/monitor-$arch" "$out/monitor-$arch"; then
    echo "build-monitor: bin/monitor-$arch is not what monitor.c compiles to with $("$cc" --version | head -1)" >&2
    status=1
  fi
done
exit $status
