import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { testContext } from '../../src/testing/handler.ts';
import { connected, failureOf, requestOf, scaled } from '../../src/testing/test-webhook.ts';

/** A receiver in another language, with the algorithm written independently from the specification. */
const VERIFIER = `
import base64, hashlib, hmac, http.server, sys
KEYS = [base64.b64decode(secret.removeprefix("whsec_")) for secret in sys.argv[1:]]
class Verifier(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
        given = [part.split(",", 1)[1] for part in self.headers["webhook-signature"].split(" ") if part.startswith("v1,")]
        wanted = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in KEYS]
        self.send_response(200 if any(hmac.compare_digest(a, b) for a in given for b in wanted) else 401)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Verifier)
print(server.server_address[1], flush=True)
server.serve_forever()
`;

describe('webhook: signatures', () => {
  const [old, current, unknown] = [1, 2, 3].map((byte) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`);
  const python = spawnSync('python3', ['--version']).status === 0 ? false : 'python3 is not installed';

  test('are verified by a receiver that knows one of the secrets, and by no other', { skip: python }, async (t) => {
    const verifier = spawn('python3', ['-c', VERIFIER, String(current)], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => verifier.kill());
    const [port] = (await once(createInterface({ input: verifier.stdout }), 'line')) as [string];
    const signedWith = async (secret: unknown) => {
      const { sink } = await connected(t, {
        url: `http://127.0.0.1:${port}/`,
        secret,
        body: 'größe {{ change.name }}',
      });
      return sink.deliver(scaled, testContext());
    };
    await signedWith(current);
    await signedWith([old, current]);
    await assert.rejects(signedWith(unknown), /answered 401/);
  });

  test('use the id of the CloudEvent', async (t) => {
    const { headers, body } = await requestOf(t, { secret: current, cloudEvents: 'structured' });
    assert.equal((JSON.parse(body) as { readonly id: string }).id, headers['webhook-id']);
  });

  test('a secret header that the receiver echoes is redacted in the error', async (t) => {
    // As `echo` writes it into a Secret; its line feed is not sent.
    for (const token of ['t0k3n-t0k3n', 't0k3n-t0k3n\n']) {
      const headers = { Authorization: `Bearer ${token}`, 'X-Kind': 'deployment' };
      const failure = await failureOf(t, { headers }, scaled, {
        status: 400,
        body: 'bad Bearer t0k3n-t0k3n, t0k3n-t0k3n deployment',
      });
      assert.match(failure.message, /answered 400: bad \*\*\*, \*\*\* deployment$/);
    }
  });

  test('so is one that a template writes, and the password in basic authentication', async (t) => {
    const headers = {
      Authorization: '{% capture login %}admin:p4ss:w0rd{% endcapture %}Basic {{ login | go_b64enc }}',
      'X-Token': '{{ change.kind }}-t0k3n',
    };
    const failure = await failureOf(t, { headers }, scaled, {
      status: 400,
      body: 'bad YWRtaW46cDRzczp3MHJk, admin:p4ss:w0rd, p4ss:w0rd, Deployment-t0k3n of Deployment',
    });
    assert.match(failure.message, /answered 400: bad \*\*\*, \*\*\*, \*\*\*, \*\*\* of Deployment$/);
  });
});
