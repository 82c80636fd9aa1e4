import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadHandler } from '../chain/load.ts';
import { loadConfig } from '../config/load.ts';
import { temporaryFolder } from '../testing/test-folder.ts';
import { configDocument } from './config-route.ts';

test('configDocument() shows the settings and no secret', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'config.toml');
  await writeFile(
    file,
    `existing = "added"
coalesce = false
[history]
maxAge = "90d"
[lease]
[cluster]
server = "https://user:s3cret-1@api.example:6443"
token = "s3cret-2"
[web]
token = "s3cret-3-of-the-page"
[[resource]]
kind = "pod"
namespaces = ["shop"]
[[handler]]
name = "webhook"
url = "https://hooks.example/s3cret-4"
headers = { authorization = "s3cret-5" }
digest = { window = "1m", over = 5 }
layout = { text = "\${PASSWORD}", none = "\${UNUSED}" }
[[handler]]
name = "webhook"
id = "template"
url = "https://hooks.example"
body = '{"text": "{{ change.headline }}", "api_key": "s3cret-10"}'
[[handler]]
name = "exec"
command = ["./page-me", "shop", "--token=s3cret-8", "https://me:s3cret-9@pager.example", "--token", "s3cret-11", "-p", "s3cret-12", "--quiet", "-v"]
env = { DB_PWD = "s3cret-7" }
`,
  );
  const config = await loadConfig(file, { env: { PASSWORD: 's3cret-6', UNUSED: '' }, loadHandler });
  const text = JSON.stringify(configDocument(config));
  assert.doesNotMatch(text, /s3cret/);
  for (const shown of [
    'api.example:6443',
    '"namespaces":["shop"]',
    '"labelSelector":""',
    '"name":"webhook"',
    '"retries":3',
    '"./page-me","shop"',
    '"--quiet","-v"',
    '"existing":"added"',
    '"maxAgeMs":7776000000',
    '"lease":{"name":"watchchain-config"',
    '"coalesce":false',
    '"digest":{"windowMs":60000,"over":5}',
  ])
    assert.ok(text.includes(shown), shown);
});
