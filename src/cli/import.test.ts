import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { loadHandler } from '../chain/load.ts';
import type { ChainConfig } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { Workdir } from '../../test/e2e/program.ts';
import { runCommand, type CommandOutput } from '../../test/run-command.ts';

const FIXTURES = join(import.meta.dirname, '../config/adapters/event-exporter/fixtures');
const ENV = { TEAM: 'ops', TOKEN: 'hunter2', SLACK_TOKEN: 'xoxb-hunter2' };

const imported = (...args: string[]): Promise<CommandOutput> => runCommand(['import', ...args], { env: ENV });

/** What a configuration means, regardless of line numbers. */
async function meaning(file: string): Promise<object> {
  const { chains, cluster, log, lookup, redact, whileAway } = await loadConfig(file, { env: ENV, loadHandler });
  return { chains: chains.map(work), cluster, log, lookup, redact, whileAway };
}

function work({
  at: _at,
  fingerprint: _fingerprint,
  resources,
  handlers,
  branches,
  ...rest
}: ChainConfig & { at?: string }): object {
  return {
    ...rest,
    resources: resources.map((resource) => ({ ...resource, at: '' })),
    handlers: handlers.map(({ id, options }) => ({ id, options: JSON.parse(JSON.stringify(options)) as object })),
    branches: branches.map(work),
  };
}

describe('import', async () => {
  test('says that TOML is used as it is', async () => {
    await using workdir = await Workdir.make();
    const { code, stderr } = await imported(await workdir.write('config.toml', '[[resource]]\nkind = "pod"\n'));
    assert.match(stderr, /config\.toml: TOML is used as it is, including kwatchman's: name the file with --config/);
    assert.equal(code, 1);
  });

  test('explains what only keeps the meaning of the original', async () => {
    await using workdir = await Workdir.make();
    const file = (rule: string) =>
      workdir.write(
        'theirs.yaml',
        `route: { routes: [{ match: [{ ${rule}receiver: out }] }] }\nreceivers: [{ name: out, stdout: {} }]\n`,
      );
    assert.match(
      (await imported(await file('kind: Pod, '))).stdout,
      /^# existing = "added" reports.*\n# \(\?-i\) makes/m,
    );
    assert.doesNotMatch((await imported(await file(''))).stdout, /# \(\?-i\)/);
  });

  for (const name of (await readdir(FIXTURES)).filter((file) => file.endsWith('.yaml'))) {
    const yaml = relative(process.cwd(), join(FIXTURES, name));
    const golden = join(FIXTURES, name.replace(/yaml$/, 'toml'));

    test(`prints the TOML of ${name} as in its golden file, without the value of any variable`, async () => {
      const { code, stdout, stderr } = await imported(yaml);
      assert.deepEqual([code, stderr], [0, '']);
      const toml = stdout.replaceAll(yaml, name);
      if (process.env['UPDATE_GOLDEN']) await writeFile(golden, toml);
      assert.equal(toml, await readFile(golden, 'utf8'));
      assert.doesNotMatch(toml, /hunter2/);
    });

    test(`the TOML of ${name} means the same as the original`, async () => {
      await using workdir = await Workdir.make();
      const file = await workdir.write('config.toml', (await imported(yaml)).stdout);
      assert.deepEqual(await meaning(file), await meaning(yaml));
    });
  }

  test('keeps references to unset variables, and refuses unsupported parts with their line', async () => {
    await using workdir = await Workdir.make();
    const file = await workdir.write(
      'their.yaml',
      'route: { match: [{ receiver: a }] }\nreceivers:\n  - { name: a, webhook: { endpoint: "$LATER" } }\n  - { name: b, kafka: {} }\n',
    );
    const refused = await imported(file);
    assert.deepEqual([refused.code, refused.stdout], [1, '']);
    assert.match(refused.stderr, /their\.yaml:4: receivers\[1\]\.kafka: receiver "b": kafka is not supported/);
    const lenient = await imported('--lenient', file);
    assert.match(lenient.stdout, /^# From their\.yaml.*\n# .*their\.yaml:4: .*left out\n[^]*url = "\$\{LATER\}"\n/);
  });

  test('names the place of a configuration inside chart values', async () => {
    await using workdir = await Workdir.make();
    const config = 'config:\n  route: { match: [{ receiver: a }] }\n  receivers: [{ name: a, stdout: {} }]\n';
    const { stdout } = await imported(await workdir.write('values.yaml', `replicas: 1\n${config}`));
    assert.match(stdout, /^# From values\.yaml, below config, a configuration of kubernetes-event-exporter\.\n/);
  });

  test('keeps a warning that quotes several lines in its comment', async () => {
    await using workdir = await Workdir.make();
    const file = await workdir.write(
      'their.yaml',
      'route: { match: [{ receiver: a }, { receiver: a, message: "*\\nexisting = 1" }] }\nreceivers: [{ name: a, stdout: {} }]\n',
    );
    const { stdout } = await imported(file);
    assert.match(stdout, /^# .*"\*\\nexisting = 1" is not a regular expression/m);
    const toml = await workdir.write('config.toml', stdout);
    assert.deepEqual(await meaning(toml), await meaning(file));
  });

  test('keeps a list of tables and texts, and a small number, as they are', async () => {
    await using workdir = await Workdir.make();
    const layout = '[{ k: v, n: 1.0e-7 }, text, ["{{ .Reason }}", {}], 1.0e-7]';
    const file = await workdir.write(
      'their.yaml',
      `route: { match: [{ receiver: a }] }\nreceivers: [{ name: a, stdout: { layout: { tags: ${layout} } } }]\n`,
    );
    const toml = await workdir.write('config.toml', (await imported(file)).stdout);
    assert.deepEqual(await meaning(toml), await meaning(file));
  });

  test('reports a missing file without mentioning a flag', async () => {
    const { code, stderr } = await imported('/nowhere/their.yaml');
    assert.deepEqual([code, stderr], [1, 'watchchain: Cannot read /nowhere/their.yaml: there is no such file\n']);
  });
});
