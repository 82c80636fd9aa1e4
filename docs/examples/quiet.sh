#!/bin/sh
# An exec plug-in that runs once for each change (mode = "once"): exit code 10 halts, with standard error as the reason.
if grep -q '"alerts":"off"'; then
  echo 'alerts are off' >&2
  exit 10
fi
