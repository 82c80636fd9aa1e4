import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Workdir } from '../../test/e2e/program.ts';
import { runCommand } from '../../test/run-command.ts';

const CONFIG = `
[[resource]]
kind = "deploy"
labelSelector = "tier in (web, api)"
[[handler]]
name = "diff"
[[handler]]
name = "slack"
webhookURL = "http://127.0.0.1:9/never-asked"
`;

function event(type: string, name: string, version: number, spec: object, labels: object = { tier: 'web' }): object {
  const metadata = { name, namespace: 'shop', uid: `uid-${name}`, resourceVersion: String(version), labels };
  return { type, object: { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec } };
}

/** What `kubectl get -w` prints until the same Ctrl-C ends it. */
async function* endless(events: readonly object[], ctrlC: AbortController): AsyncGenerator<string> {
  yield* events.map((one) => JSON.stringify(one));
  await nextTurn();
  ctrlC.abort();
  await new Promise(() => {});
}

/** `watchchain test -` in a folder with a configuration. */
async function rehearse(
  config: string,
  events: readonly object[],
  more: Record<string, string> = {},
  ctrlC?: AbortController,
) {
  await using workdir = await Workdir.make();
  for (const [name, content] of Object.entries(more)) await workdir.write(name, content);
  const file = await workdir.write('config.toml', config);
  const written = ctrlC === undefined ? events.map((one) => JSON.stringify(one)) : endless(events, ctrlC);
  const { signal } = ctrlC ?? new AbortController();
  const io = { stdin: Readable.from(written), signal };
  const { code, stdout, stderr: problems } = await runCommand(['test', '-', '-c', file], io);
  return { code, lines: stdout.trimEnd().split('\n'), problems };
}

describe('watchchain test', () => {
  test('prints each verdict in the order of the events, and sends nothing', async () => {
    const { code, lines } = await rehearse(CONFIG, [
      event('ADDED', 'web', 1, { replicas: 1 }),
      event('ADDED', 'api', 2, { replicas: 1 }),
      event('MODIFIED', 'web', 3, { replicas: 3 }),
      event('MODIFIED', 'web', 4, { replicas: 3, template: null }),
      event('MODIFIED', 'web', 5, { replicas: 3, template: null }),
      event('DELETED', 'web', 6, { replicas: 3 }),
    ]);
    const messages = lines.flatMap((line) => / would deliver: (\{.*)$/.exec(line)?.slice(1) ?? []);
    assert.match(messages[1] ?? '', /"title":"ADD deployment\\nshop\/api"/);
    const verdicts = lines.map((line) => line.replace(/ would deliver: \{.*$/, ' would deliver'));
    assert.deepEqual(verdicts, [
      'added deployment shop/web @1  default/diff: pass',
      'added deployment shop/web @1  default/slack: would deliver',
      'added deployment shop/api @2  default/diff: pass',
      'added deployment shop/api @2  default/slack: would deliver',
      'updated deployment shop/web @3  default/diff: pass: replicas 1 -> 3',
      'updated deployment shop/web @3  default/slack: would deliver',
      'updated deployment shop/web @4  default/diff: halt (no difference)',
      'standard input, event 5: no change of Deployment shop/web',
      'deleted deployment shop/web @4  default/diff: pass',
      'deleted deployment shop/web @4  default/slack: would deliver',
    ]);
    assert.equal(code, 0);
  });

  test('prints what arrived before a Ctrl-C that also ends kubectl get -w', async () => {
    const events = [event('ADDED', 'web', 1, { replicas: 1 }), event('MODIFIED', 'web', 3, { replicas: 3 })];
    const { code, lines } = await rehearse(CONFIG, events, {}, new AbortController());
    assert.equal(lines.at(-2), 'updated deployment shop/web @3  default/diff: pass: replicas 1 -> 3');
    assert.equal(code, 0);
  });

  test('shows the rendered template of a change, and the error of one that fails', async () => {
    const config = `
[[resource]]
kind = "deploy"
[[handler]]
name = "webhook"
url = "http://127.0.0.1:9/never-asked"
headers = { Authorization = "Bearer s3cr3t" }
[handler.layout]
text = "{{ change.name }} has {{ change.after.spec.replicas }}"
broken = "{% if change.name == 'api' %}{{ change.name | append }}{% endif %}"
`;
    const { code, lines } = await rehearse(config, [
      event('ADDED', 'web', 1, { replicas: 1 }),
      event('ADDED', 'api', 2, { replicas: 1 }),
    ]);
    assert.deepEqual(lines, [
      'added deployment shop/web @1  default/webhook: would deliver: POST {"text":"web has 1","broken":""}',
      'added deployment shop/api @2  default/webhook: throws (The template of layout.broken failed: append expect 2 arguments (line 1, column 30))',
    ]);
    assert.equal(code, 1);
  });

  test('shows no secret of a file or a variable that a message contains', async () => {
    const config = `[[resource]]\nkind = "deploy"\n[[handler]]\nname = "webhook"\nurl = "http://127.0.0.1:9/x"\nlayout = { key = "\${file:key}", to = "{{ change.name }}" }\n`;
    const { lines } = await rehearse(config, [event('ADDED', 'web', 1, {})], { key: 'c4nary-key\n' });
    assert.deepEqual(lines, [
      'added deployment shop/web @1  default/webhook: would deliver: POST {"key":"***","to":"web"}',
    ]);
  });

  test('continues into the branches, in file order, with what passed before them', async () => {
    const branches = `
[[resource]]
kind = "deploy"
[[handler]]
name = "diff"
[[branch]]
name = "images"
[[branch.handler]]
name = "match"
changed = "spec.template"
[[branch.handler]]
name = "log"
[[branch]]
name = "all"
[[branch.handler]]
name = "log"
`;
    const { lines } = await rehearse(branches, [
      event('ADDED', 'web', 1, { replicas: 1 }),
      event('MODIFIED', 'web', 2, { replicas: 3 }),
      event('MODIFIED', 'web', 3, { replicas: 3, template: null }),
    ]);
    assert.deepEqual(lines, [
      'added deployment shop/web @1  default/diff: pass',
      'added deployment shop/web @1  default/images/match: halt (no change of spec.template)',
      'added deployment shop/web @1  default/all/log: would deliver',
      'updated deployment shop/web @2  default/diff: pass: replicas 1 -> 3',
      'updated deployment shop/web @2  default/images/match: halt (no change of spec.template)',
      'updated deployment shop/web @2  default/all/log: would deliver',
      'updated deployment shop/web @3  default/diff: halt (no difference)',
    ]);
  });

  test('reports changes that no chain watches, by selector and by group', async () => {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', uid: 'p', resourceVersion: '1' } };
    const { lines } = await rehearse(CONFIG, [
      event('ADDED', 'db', 1, {}, { tier: 'db' }),
      { type: 'ADDED', object: pod },
    ]);
    assert.deepEqual(lines, [
      'standard input, event 1: no chain watches Deployment shop/db',
      'standard input, event 2: no chain watches Pod p',
    ]);
  });

  test('takes every selector that the service takes', async () => {
    const selectors = 'labelSelector = "weight > 3"\nfieldSelector = "spec.hostNetwork=false,metadata.name!=a\\\\,b"\n';
    const config = `[[resource]]\nkind = "pod"\n${selectors}[[handler]]\nname = "log"\n`;
    const pod = (name: string, weight: string) => ({
      type: 'ADDED',
      object: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'shop', uid: name, resourceVersion: '1', labels: { weight } },
      },
    });
    const { code, lines } = await rehearse(config, [pod('heavy', '4'), pod('light', '3')]);
    assert.equal(code, 0);
    assert.match(lines[0] ?? '', /^added pod shop\/heavy @1 /);
    assert.equal(lines[1], 'standard input, event 2: no chain watches Pod shop/light');
  });

  test('takes field selectors of custom kinds as their definition in the file says, or as they are without one', async () => {
    const config = (field: string) =>
      `[[resource]]\nkind = "widget"\napiVersion = "shop.example/v1"\nfieldSelector = "${field}"\n[[handler]]\nname = "log"\n`;
    const meta = (name: string) => ({ name, uid: name, resourceVersion: '1' });
    const widget = (name: string, color: string) => ({
      type: 'ADDED',
      object: { apiVersion: 'shop.example/v1', kind: 'Widget', metadata: meta(name), spec: { color } },
    });
    const versions = [{ name: 'v1', selectableFields: [{ jsonPath: '.spec.color' }] }];
    const definition = {
      type: 'ADDED',
      object: {
        apiVersion: 'apiextensions.k8s.io/v1',
        kind: 'CustomResourceDefinition',
        metadata: meta('widgets.shop.example'),
        spec: { group: 'shop.example', names: { kind: 'Widget' }, versions },
      },
    };
    const [red, blue] = [widget('a', 'red'), widget('b', 'blue')];
    for (const recording of [
      [red, blue],
      [red, blue, definition],
    ]) {
      const { lines } = await rehearse(config('spec.color=blue'), recording);
      assert.equal(lines[0], 'standard input, event 1: no chain watches Widget a');
      assert.match(lines[1] ?? '', /^added widget b @1 /);
    }
    const refused = await rehearse(config('spec.size=1'), [definition, red]);
    assert.equal(refused.code, 1);
    assert.match(
      refused.problems,
      /config\.toml:\d+: the API server would refuse the selector for Widget: field label not supported: spec\.size\n/,
    );
  });

  test('applies the Event settings of each resource, even where they are watched together', async () => {
    const of = (namespaces: string, more: string) =>
      `[[resource]]\nkind = "event"\nnamespaces = ${namespaces}\n${more}`;
    const config = of('["team-*"]', 'maxAge = "5s"\n') + of('["prod-*", "team-a"]', '') + '[[handler]]\nname = "log"\n';
    const old = (namespace: string) => {
      const metadata = { name: 'e', namespace, uid: namespace, resourceVersion: '1' };
      const object = { apiVersion: 'v1', kind: 'Event', metadata, lastTimestamp: '2020-01-01T00:00:00Z' };
      return { type: 'ADDED', object };
    };
    const { lines } = await rehearse(config, [old('team-a'), old('team-b'), old('prod-a')]);
    assert.deepEqual(
      lines.flatMap(
        (line) => /^added event (\S+)\/e @1 +default\/maxAge: (pass|halt)/.exec(line)?.slice(1).join(' ') ?? [],
      ),
      ['team-a pass', 'team-b halt', 'prod-a pass'],
    );
  });

  test('watches cluster-scoped objects, whatever namespaces are configured', async () => {
    const config = '[[resource]]\nkind = "node"\nnamespaces = ["shop", "team-*"]\n[[handler]]\nname = "log"\n';
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', uid: 'n', resourceVersion: '1' } };
    const { lines } = await rehearse(config, [{ type: 'ADDED', object: node }]);
    assert.match(lines.join(), /^added node n @1 /);
  });

  test('redacts kinds named by plural, singular or short name', async () => {
    const policy = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '1' },
      spec: { token: 's3cr3t' },
    };
    for (const name of ['netpol', 'networkpolicies', 'networkpolicy']) {
      const config = `[redact]\npaths = { ${name} = ["spec.token"] }\n[[resource]]\nkind = "netpol"\n[[handler]]\nname = "webhook"\nurl = "http://127.0.0.1:9/x"\n`;
      const { lines } = await rehearse(config, [{ type: 'ADDED', object: policy }]);
      assert.match(lines.join(), /"token":"redacted:/, name);
    }
  });

  test('exits with 1 when a handler returns an invalid value, and says what is wanted', async () => {
    const header = `import { defineStateful, defineTransform, z } from 'watchchain';\nconst own = { name: 'own', summary: 's', description: 'd', options: z.strictObject({}), examples: [] };\n`;
    for (const [definition, problem] of [
      [
        'defineTransform({ ...own, create: () => ({ handle() {} }) })',
        /throws \(it returned undefined, expected the change/,
      ],
      ['defineStateful({ ...own, create: () => ({ handle: (c) => c }) })', /throws \(it returned only its verdict/],
      [
        'defineStateful({ ...own, create: () => ({ handle: (c) => ({ verdict: c }) }) })',
        /throws \(its state is undefined/,
      ],
      ['defineStateful({ ...own, create: () => ({ group() {}, handle() {} }) })', /throws \(it returned no group/],
      [
        'defineTransform({ ...own, deadlineMs: () => 1, create: () => ({ handle: () => new Promise(() => {}) }) })',
        /throws \(it did not finish within 0.001 s\)/,
      ],
    ] as const) {
      const config = CONFIG.replace(
        '[[handler]]\nname = "slack"',
        '[[handler]]\nname = "./own.js"\n[[handler]]\nname = "slack"',
      );
      const events = [event('ADDED', 'web', 1, { replicas: 1 }), event('MODIFIED', 'web', 2, { replicas: 2 })];
      const { code, lines } = await rehearse(config, events, { 'own.js': `${header}export default ${definition};\n` });
      // After diff, a passing update has nothing more to show.
      assert.match(lines.at(-1) ?? '', problem);
      assert.match(lines.at(-1) ?? '', /^updated .* default\/own: /);
      assert.equal(code, 1);
    }
  });

  test('exits with 1 when a handler throws, and names it', async () => {
    const { code, lines } = await rehearse(CONFIG.replace('"diff"', '"./throws.ts"'), [event('ADDED', 'web', 1, {})], {
      'throws.ts': "export default () => { throw new Error('no luck'); };",
    });
    assert.deepEqual(lines, ['added deployment shop/web @1  default/throws: throws (no luck)']);
    assert.equal(code, 1);
  });

  test('shows file and line of an error in a handler', async () => {
    const { lines } = await rehearse(CONFIG.replace('"diff"', '"./owner.ts"'), [event('ADDED', 'web', 1, {})], {
      'owner.ts': "import { ownerOf } from './owner-of.ts';\nexport default ownerOf;\n",
      'owner-of.ts': '\n\nexport const ownerOf = (change) => change.before.metadata.name;\n',
    });
    assert.match(lines[0] ?? '', /throws \(Cannot read properties of undefined .* \(\/.*\/owner-of\.ts:3\)\)$/);
  });

  test('refuses a file that is missing or is a folder', async () => {
    await using workdir = await Workdir.make();
    const config = await workdir.write('config.toml', CONFIG);
    const refusal = async (file: string) => (await runCommand(['test', file, '-c', config])).stderr;
    const file = workdir.file('events.json');
    assert.equal(await refusal(file), `watchchain: Cannot read the watch events in ${file}: there is no such file\n`);
    const folder = workdir.path;
    assert.equal(
      await refusal(folder),
      `watchchain: Cannot read the watch events in ${folder}: it is a folder; name the file in it\n`,
    );
  });
});
