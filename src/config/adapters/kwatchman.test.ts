import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Workdir } from '../../../test/e2e/program.ts';
import { loadHandler } from '../../chain/load.ts';
import { runCommandLine } from '../../cli/command-line.ts';
import { codeOf, type ConfigError } from '../../errors.ts';
import { loadConfig } from '../load.ts';

const TOML = `
[[resource]]
kind = "deployment"
[[resource]]
kind = "service"
[[handler]]
name = "diff"
[[handler]]
name = "ignoreEvents"
events = ["Add"]
[[handler]]
name = "log"
[[handler]]
name = "slack"
clusterName = "myClusterName"
webhookURL = "\${HOOK}"
`;

const YAML = `# As its chart has it.
resource:
  - kind: deployment
  - kind: service
handler:
  - name: diff
  - name: ignoreEvents
    events: [Add]
  - name: log
  - name: slack
    clusterName: myClusterName
    webhookURL: \${HOOK}
`;

const JSON_FILE = JSON.stringify({
  Resource: [{ Kind: 'deployment' }, { KIND: 'service' }],
  HANDLER: [
    { name: 'diff' },
    { name: 'ignoreEvents', Events: ['Add'] },
    { name: 'log', resource: undefined },
    { name: 'slack', clustername: 'myClusterName', WEBHOOKURL: '${HOOK}', channel: undefined },
  ],
});

const env = { HOOK: 'https://hooks.slack.com/services/T/B/secret' };

/** What a file means, regardless of line numbers. */
async function meaning(name: string, content: string) {
  await using workdir = await Workdir.make();
  const file = await workdir.write(name, content);
  const { chains } = await loadConfig(file, { env, loadHandler });
  return chains.map(({ resources, handlers }) => ({
    resources: resources.map(({ at: _at, ...resource }) => resource),
    handlers: handlers.map(({ id, options }) => ({ id, options })),
  }));
}

async function problems(name: string, content: string): Promise<readonly string[]> {
  await using workdir = await Workdir.make();
  const file = await workdir.write(name, content);
  const thrown: unknown = await loadConfig(file, { env, loadHandler }).catch((failure: unknown) => failure);
  assert.equal(codeOf(thrown), 'CONFIG');
  return (thrown as ConfigError).problems.map((line) => line.replaceAll(`${workdir.path}/`, ''));
}

describe("kwatchman's file in YAML and JSON", () => {
  test('TOML inside the values of its chart, or in its ConfigMap, is not read: the message says where it goes', async () => {
    const inside = TOML.replace(/^/gm, '    ');
    for (const content of [`kwatchman:\n  config: |\n${inside}`, `kind: ConfigMap\ndata:\n  config.toml: |\n${inside}`])
      await assert.rejects(meaning('values.yaml', content), {
        message:
          /; move the TOML in it to a file whose name ends in \.toml, or give the values of a chart to that of watchchain$/m,
      });
  });

  test('means the same as its TOML, with keys in any case', async () => {
    const toml = await meaning('config.toml', TOML);
    assert.equal(toml[0]?.handlers.length, 4);
    assert.deepEqual(await meaning('config.yaml', YAML), toml);
    const spelled = YAML.replace('resource:', 'RESOURCE:')
      .replaceAll('kind:', 'Kind:')
      .replace('webhookURL', 'webhookurl');
    assert.deepEqual(await meaning('config.yml', spelled), toml);
    assert.deepEqual(await meaning('config.json', JSON_FILE), toml);
    // Recognised by its content, not its name.
    assert.deepEqual(await meaning('other.json', YAML), toml);
  });

  test('accepts a table as a list of one, and ignores a key without a value, like viper', async () => {
    const [one] = await meaning('config.yaml', 'resource:\n  kind: pod\n  labelSelector:\nhandler: { name: log }\n');
    assert.deepEqual(
      [one?.resources.length, one?.resources[0]?.labelSelector, one?.handlers[0]?.id],
      [1, '', 'default/log'],
    );
  });

  test('is refused with the lines of its mistakes', async () => {
    assert.deepEqual(
      await problems('config.yaml', 'resource:\n  - kind: pod\nhandler:\n  - name: logg\n    cluster: x\n'),
      [(await problems('config.yaml', 'resource:\n  - kind: pod\nhandler:\n  - name: logg\n'))[0] ?? ''],
    );
    const [broken] = await problems('config.json', '{"resource": [{"kind": "pod"}], "handler": [');
    assert.match(broken ?? '', /config\.json:1: broken YAML/);
    assert.match(
      (await problems('config.yaml', 'resources: []\n'))[0] ?? '',
      /of kwatchman \("resource" and "handler"\)/,
    );
  });

  test('import prints its TOML, with references kept', async () => {
    await using workdir = await Workdir.make();
    const file = await workdir.write('config.yaml', YAML);
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const { signal } = new AbortController();
    assert.equal(await runCommandLine({ argv: ['import', file], env: {}, stdin, stdout, stderr, signal }), 0);
    stdout.end();
    const printed = await text(stdout);
    assert.match(printed, /^# From config\.yaml, a configuration of kwatchman\./);
    assert.match(printed, /webhookURL = "\$\{HOOK\}"/);
    assert.deepEqual(await meaning('config.toml', printed), await meaning('config.toml', TOML));
  });
});
