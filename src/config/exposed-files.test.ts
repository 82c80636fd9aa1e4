import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { temporaryFolder } from '../testing/test-folder.ts';
import { exposedFiles, holdsCredentials } from './exposed-files.ts';

async function fileOf(t: TestContext, mode: number): Promise<string> {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'token'), 'c4nary');
  await chmod(join(folder, 'token'), mode);
  return join(folder, 'token');
}

const NO_POD = join(tmpdir(), 'no-service-account-here');

describe('exposedFiles()', () => {
  for (const [mode, text] of [
    [0o644, '0644'],
    [0o640, '0640'],
    [0o604, '0604'],
  ] as const) {
    test(`warns of a file of mode ${text}, and names the remedy`, async (t) => {
      const file = await fileOf(t, mode);
      const [line, ...others] = await exposedFiles([file], {}, NO_POD);
      assert.equal(line, `${file}: its mode ${text} lets other users read the credentials in it: chmod 600 ${file}`);
      assert.deepEqual(others, []);
    });
  }

  test('is silent about a file that only its owner can read, and about a missing one', async (t) => {
    const file = await fileOf(t, 0o600);
    assert.deepEqual(await exposedFiles([file, `${file}.none`], {}, NO_POD), []);
  });

  test('is silent in a pod', async (t) => {
    const file = await fileOf(t, 0o644);
    assert.deepEqual(await exposedFiles([file], { KUBERNETES_SERVICE_HOST: '10.0.0.1' }, NO_POD), []);
    assert.deepEqual(await exposedFiles([file], {}, tmpdir()), []);
  });
});

describe('holdsCredentials()', () => {
  for (const [holds, value] of [
    [true, { handler: [{ name: 'slack', webhookURL: 'https://hooks.slack.com/services/x' }] }],
    [true, { chain: [{ handler: [{ headers: { Authorization: 'Bearer x' } }] }] }],
    [true, { chain: [{ handler: [{ secret: ['whsec_a'] }] }] }],
    [true, { web: { token: 'x' } }],
    [true, { heartbeat: { url: 'https://user:pass@ping.example' } }],
    [false, { handler: [{ name: 'webhook', url: 'https://hooks.example/in' }] }],
    [false, { resource: [{ kind: 'secret' }], redact: { paths: { secret: ['data.x'] } } }],
    [false, { cluster: { server: 'https://k8s.example', tokenFile: '/run/token', insecure: false } }],
    [false, { web: { token: '' } }],
  ] as const) {
    test(`is ${holds} for ${JSON.stringify(value)}`, () => {
      assert.equal(holdsCredentials(value, []), holds);
    });
  }

  test('is false for a value that comes from outside the file', () => {
    assert.equal(holdsCredentials({ web: { token: 'x' } }, [['web', 'token']]), false);
  });
});
