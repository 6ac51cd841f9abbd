#!/bin/sh
# The servers of file systems are killed with -9 at random moments under load: the image tree's while programs read, the union's
# while programs write, append, map, unlink and read; no reader may see an error or a wrong byte, no writer lose anything.
#
#   sh test/suites/kills.sh [KILLS]
#
# KILLS is for each of the tests (default 200). Needs Linux 6.9.
set -eu
kills=${1:-200}
cd "$(dirname "$(readlink -f "$0")")/../.."
PATH=$PWD/node_modules/.bin:$PATH
TAKEOVER_KILLS=$kills UNION_KILLS=$kills IMAGE_SERVER_KILLS=$kills exec npx vitest run --configLoader=native --cache=false \
  --project system --testTimeout $((180000 + kills * 3000)) takeover file-servers-killed
