#!/usr/bin/env python3
"""A webhook that decides what is reported: it halts changes of objects labelled `alerts: "off"`.

Standard library only. Listens on 127.0.0.1 and prints its address.
"""
import json
from http.server import BaseHTTPRequestHandler, HTTPServer


def answer(request):
    change = request["change"]
    manifest = change.get("after") or change.get("before") or {}
    labels = manifest.get("metadata", {}).get("labels", {})
    if labels.get("alerts") == "off":
        return {"verdict": "halt", "reason": "alerts are off for " + change["key"]}
    return {"verdict": "pass", "notes": {"team": labels.get("team", "nobody")}}


class Policy(BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        body = json.dumps(answer(request)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", 0), Policy)
    print("http://127.0.0.1:%d/" % server.server_port, flush=True)
    server.serve_forever()
