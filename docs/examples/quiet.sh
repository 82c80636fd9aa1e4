#!/bin/sh
# An exec plug-in for each change (mode = "once"): exit code 10 halts, and what is written to standard error is the reason.
if grep -q '"alerts":"off"'; then
  echo 'alerts are off' >&2
  exit 10
fi
