#!/usr/bin/env python3
"""An exec plug-in that keeps running (mode = "lines"): it halts changes of objects labelled `alerts: "off"`."""
import json
import sys

for line in sys.stdin:
    request = json.loads(line)
    change = request["change"]
    manifest = change.get("after") or change.get("before") or {}
    answer = {"id": request["id"]}
    if manifest.get("metadata", {}).get("labels", {}).get("alerts") == "off":
        answer.update(verdict="halt", reason="alerts are off for " + change["key"])
    print(json.dumps(answer), flush=True)
