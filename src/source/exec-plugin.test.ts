import assert from 'node:assert/strict';
import { mkdtempDisposable, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ExecIdentity } from './exec-plugin.ts';

/** A plug-in whose token is its run number; the credential expires at `expires`. */
async function withPlugin(
  expires: number | undefined,
  use: (identity: ExecIdentity, clock: { now: number }) => Promise<void>,
): Promise<void> {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'watchchain-plugin-'));
  const runs = join(folder.path, 'runs');
  const status = { expirationTimestamp: expires === undefined ? undefined : new Date(expires).toISOString() };
  const script = `
    require('node:fs').appendFileSync('${runs}', 'x');
    const token = String(require('node:fs').readFileSync('${runs}').length);
    const apiVersion = 'client.authentication.k8s.io/v1';
    console.log(JSON.stringify({ kind: 'ExecCredential', apiVersion, status: { token, ...${JSON.stringify(status)} } }));`;
  const clock = { now: 0 };
  const identity = new ExecIdentity({
    entry: { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args: ['-e', script] },
    cluster: {},
    env: process.env,
    now: () => clock.now,
  });
  await use(identity, clock);
  assert.ok((await readFile(runs)).length > 0);
}

const run = (number: number) => ({ authorization: `Bearer ${number}` });

describe('ExecIdentity', () => {
  test('runs the plug-in again a minute before the credential expires', () =>
    withPlugin(600_000, async (identity, clock) => {
      assert.deepEqual(await identity.headers(), run(1));
      clock.now = 539_999;
      assert.deepEqual(await identity.headers(), run(1));
      clock.now = 540_000;
      assert.deepEqual(await identity.headers(), run(2));
    }));

  test('uses a credential that lives less than a minute for half its lifetime', () =>
    withPlugin(40_000, async (identity, clock) => {
      assert.deepEqual(await identity.headers(), run(1));
      clock.now = 19_999;
      assert.deepEqual(await identity.headers(), run(1));
      clock.now = 20_000;
      assert.deepEqual(await identity.headers(), run(2));
    }));

  test('fails when the plug-in prints without end', async () => {
    const script = `process.stdout.on('error', () => {}); setInterval(() => process.stdout.write('x'.repeat(65536)), 1);`;
    const identity = new ExecIdentity({
      entry: { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args: ['-e', script] },
      cluster: {},
      env: process.env,
    });
    await assert.rejects(
      identity.headers(),
      /^Error: Cannot run the credential plug-in .* prints more than 1048576 bytes$/,
    );
  });

  test('runs the plug-in once more after a 401, however many requests were refused', () =>
    withPlugin(undefined, async (identity, clock) => {
      assert.deepEqual(await identity.headers(), run(1));
      clock.now = 60_000;
      identity.invalidate();
      identity.invalidate();
      assert.deepEqual(await identity.headers(), run(2));
      identity.invalidate();
      assert.deepEqual(await identity.headers(), run(2));
    }));

  test('runs the plug-in again after a 401 even if the clock was set back meanwhile', () =>
    withPlugin(undefined, async (identity, clock) => {
      clock.now = 3_600_000;
      assert.deepEqual(await identity.headers(), run(1));
      clock.now = 60_000;
      identity.invalidate();
      assert.deepEqual(await identity.headers(), run(2));
    }));
});
