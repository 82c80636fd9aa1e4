import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { loadHandler } from '../../src/chain/load.ts';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/errors.ts';
import { temporaryFolder } from '../../src/testing/test-folder.ts';

/** What `check` says about this configuration, without the folder. */
async function problemsIn(t: TestContext, toml: string, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'config.toml');
  await writeFile(file, toml);
  const thrown: unknown = await loadConfig(file, { env, loadHandler }).catch((failure: unknown) => failure);
  assert.ok(thrown instanceof ConfigError);
  return thrown.problems.map((line) => line.replaceAll(`${folder}/`, ''));
}

test('every mistake in the options of a webhook is reported with its line, and without secrets', async (t) => {
  const toml = `[[resource]]
kind = "event"
[[handler]]
name = "webhook"
url = "https://hooks.example/x"
headers = { Authorization = "Bearer \${TOKEN}{{", X-A = "{{ chagne.name }}" }
path = ["v2", "{{ event.resaon }}"]
secret = ["\${TOKEN}"]
tls = { caFile = "certs/ca.crt" }
[handler.layout]
text = "{{ event.resaon }}"
fields = [
  { value = "{{ event.count }}" },
  { value = "{{ event.message | truncat }}" },
]
`;
  assert.deepEqual(await problemsIn(t, toml, { TOKEN: 's3cr3t' }), [
    'config.toml:6: handler[0].headers.Authorization: must be a Liquid template: "{{" is not closed (line 1, column 14)',
    'config.toml:6: handler[0].headers.X-A: must be a Liquid template: unknown name "chagne"; did you mean "change"? (line 1, column 4)',
    'config.toml:7: handler[0].path[1]: must be a Liquid template: unknown name "event.resaon"; did you mean "reason"? (line 1, column 4): current value is "{{ event.resaon }}"',
    'config.toml:8: handler[0].secret[0]: must be base64 of 24 to 64 bytes, with or without the prefix "whsec_": create one with `openssl rand -base64 32`',
    'config.toml:9: handler[0].tls.caFile: cannot be read (ENOENT): current value is "certs/ca.crt"',
    'config.toml:11: handler[0].layout.text: must be a Liquid template: unknown name "event.resaon"; did you mean "reason"? (line 1, column 4): current value is "{{ event.resaon }}"',
    'config.toml:14: handler[0].layout.fields[1].value: must be a Liquid template: unknown filter "truncat"; did you mean "truncate"? (line 1, column 1): current value is "{{ event.message | truncat }}"',
  ]);
});

test('a webhook timeout of zero is refused', async (t) => {
  const toml = `[[resource]]
kind = "event"
[[handler]]
name = "webhook"
url = "https://hooks.example/x"
timeout = "0s"
`;
  const [problem] = await problemsIn(t, toml, {});
  assert.equal(problem, 'config.toml:6: handler[0].timeout: must be at least "1ms": current value is "0s"');
});
