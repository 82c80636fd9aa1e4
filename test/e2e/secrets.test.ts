/** Canaries in every place for secrets are searched for in every byte that is logged, sent or stored. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import type { Manifest } from '../../src/change.ts';
import type { JsonObject } from '../../src/json.ts';
import { until } from '../until.ts';
import { deployment } from './cluster.ts';
import { kwatchmanConfig } from './main-job.ts';
import { World, type Running } from './world.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Each place's own canary, so that a failure says which leaked. `round` makes a changed value. */
function canaries(round: number) {
  return {
    data: `c4nary-data-${round}`,
    stringData: `c4nary-string-data-${round}`,
    lastApplied: `c4nary-last-applied-${round}`,
    env: `c4nary-env-${round}`,
    url: `c4nary-url-${round}`,
    path: `c4nary-path-${round}`,
    carried: `c4nary-carried-${round}`,
    variable: `c4nary-variable-${round}`,
    webhook: 'c4nary-webhook',
    header: 'c4nary-header',
    proxy: 'c4nary-redirect',
  };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function objects(round: number): object[] {
  const secret = canaries(round);
  const applied = (kind: string) => ({ [LAST_APPLIED]: JSON.stringify({ kind, data: { x: secret.lastApplied } }) });
  const web = deployment('web', `nginx:${round}`);
  const env = [
    { name: 'DB_PASSWORD', value: secret.env },
    { name: 'MODE', value: `round-${round}` },
  ];
  const containers = web.spec.template.spec.containers.map((container) => ({ ...container, env }));
  return [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'db', annotations: applied('Secret') },
      data: { password: base64(secret.data) },
      stringData: { token: secret.stringData },
    },
    {
      ...web,
      metadata: { ...web.metadata, annotations: applied('Deployment') },
      spec: { ...web.spec, template: { ...web.spec.template, spec: { containers } } },
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings' },
      data: { dsn: `postgres://app:${secret.url}@db.example/shop`, licence: secret.path, round: String(round) },
    },
    {
      apiVersion: 'work.example.com/v1',
      kind: 'Work',
      metadata: { name: 'shop', namespace: 'default' },
      spec: {
        manifests: [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, data: { key: secret.carried } }],
        extraEnv: [{ name: 'SSH_KEY', value: secret.variable }],
      },
    },
  ];
}

const WORKS = { group: 'work.example.com', version: 'v1', kind: 'Work', resource: 'works', namespaced: true };

/** Everything on the disk, except for what the user wrote there. */
async function stored(world: World): Promise<string> {
  const folder = world.workdir.file('watchchain');
  const files = (await readdir(folder, { recursive: true })).filter((file) => /\.db/.test(file));
  assert.ok(files.some((file) => file.endsWith('store.db')));
  const contents = await Promise.all(files.map((file) => readFile(path.join(folder, file), 'latin1')));
  return contents.join('\n');
}

function assertNothingIn(where: string, text: string): void {
  const secrets = [1, 2, 3].flatMap((round) => Object.values(canaries(round)));
  for (const secret of secrets.flatMap((canary) => [canary, base64(canary)])) {
    assert.ok(!text.includes(secret), `${secret} is in ${where}`);
  }
}

async function assertNoSecret(world: World, running: Running): Promise<void> {
  assertNothingIn('what was sent', world.slack.requests.map(({ body }) => body).join('\n'));
  assertNothingIn('the log of changes', JSON.stringify(running.entries()));
  assertNothingIn("the service's log", running.serviceLog());
  assertNothingIn('the metrics', await running.app.metrics.registry.metrics());
  assertNothingIn('the store', await stored(world));
}

describe('secrets', () => {
  test('no secret in Secrets, last-applied, env, URLs, carried objects or configured paths is logged, sent or stored; its change shows', async () => {
    await using world = await World.start(undefined, { resources: [WORKS] });
    for (const object of objects(1)) world.server.create(object);
    const config = `${kwatchmanConfig(`${world.slack.url}/services/${canaries(1).webhook}`, ['secret', 'deployment', 'configmap', 'work'])}
[redact.paths]
configmap = ["data.licence"]
`;
    await using running = await world.run({
      keepState: true,
      config: config.replace('name = "log"', 'name = "log"\nlevel = "debug"'),
    });
    for (const object of objects(2)) world.server.update(object);
    await world.slack.waitFor(4);
    for (const [kind, name] of [
      ['Secret', 'db'],
      ['Deployment', 'web'],
      ['ConfigMap', 'settings'],
      ['Work', 'shop'],
    ] as const) {
      world.server.delete(kind, name);
    }
    await world.slack.waitFor(8);
    for (const object of objects(3)) world.server.create(object);
    await world.slack.waitFor(12);
    await running.app.idle();

    await assertNoSecret(world, running);
    const texts = world.messages().map(({ text }) => text);
    for (const field of ['data.password', String.raw`manifests\[0].data.key`, String.raw`extraEnv\[SSH_KEY].value`]) {
      const shown = new RegExp(`${field}: redacted:hmac-\\w+ -> redacted:hmac-\\w+`);
      assert.ok(
        texts.some((text) => shown.test(text)),
        texts.join('\n'),
      );
    }
    assert.ok(
      world.slack.requests.every(({ path }) => path.includes(canaries(1).webhook)),
      'the URL is used',
    );
  });

  test('a new rule redacts baseline, history and dead letters, by any name of the kind, and sends nothing', async () => {
    await using world = await World.start(() => ({ status: 404 }));
    const config = (rules = '') => `${kwatchmanConfig(world.slack.url, ['configmap'])}${rules}`;
    const settings = (round: number) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings', namespace: 'default' },
      data: { licence: canaries(round).path, round: String(round) },
    });
    world.server.create(settings(1));
    {
      await using running = await world.run({ keepState: true, config: config() });
      world.server.update(settings(2));
      await world.slack.waitFor(1);
      await running.app.idle();
      assert.equal((await running.app.store.deadLetters({ limit: 10 })).length, 1);
    }
    assert.match(await stored(world), new RegExp(canaries(1).path));
    const rules = config('[redact.paths]\ncm = ["data.licence"]\n');
    await using running = await world.run({ keepState: true, config: rules });
    assertNothingIn('the store', await stored(world));
    const [letter] = await running.app.store.deadLetters({ limit: 10 });
    const { licence, round } = (letter?.change.before?.['data'] ?? {}) as Record<string, string>;
    assert.match(licence ?? '', /^redacted:hmac-/);
    assert.equal(round, '1');
    assert.equal(world.slack.requests.length, 1);

    await running.reload(config('[redact.paths]\ncm = ["data.licence", "data.round"]\n'));
    const [again] = await running.app.store.deadLetters({ limit: 10 });
    assert.match(JSON.stringify(again?.change.before?.['data']), /"round":"redacted:hmac-/);
  });

  test('a new rule for a value of which a part was hidden before shows no difference where there is none', async () => {
    await using world = await World.start();
    const config = (rules = '') => `${kwatchmanConfig(world.slack.url, ['configmap'])}${rules}`;
    const settings = (round: number) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings', namespace: 'default' },
      data: { link: `postgres://app:${canaries(1).url}@db.example/shop`, round: String(round) },
    });
    world.server.create(settings(1));
    {
      await using running = await world.run({ keepState: true, config: config() });
      await running.app.idle();
    }
    await using running = await world.run({ keepState: true, config: config('[redact.paths]\ncm = ["data.link"]\n') });
    world.server.update(settings(2));
    await world.slack.waitFor(1);
    await running.app.idle();
    const [change] = await running.app.store.history({ limit: 1 });
    const linkIn = (manifest: Manifest | undefined) => (manifest?.['data'] as JsonObject | undefined)?.['link'];
    assert.match(JSON.stringify(linkIn(change?.after)), /^"redacted:hmac-\w+"$/);
    assert.equal(linkIn(change?.before), linkIn(change?.after));
    const texts = world.messages().map(({ text }) => text);
    assert.match(texts.join('\n'), /data\.round/);
    assert.doesNotMatch(texts.join('\n'), /data\.link/);
  });

  test('a new rule removes errors that may quote what it hides, and keeps those of other changes', async () => {
    await using world = await World.start(({ body }) => ({ status: 422, body: `cannot take ${body}` }));
    const config = (rules = '') =>
      `[[resource]]\nkind = "configmap"\n[[handler]]\nname = "webhook"\nurl = "${world.slack.url}"\n[handler.layout]\nsaid = "{{ change.after.data.licence }}"\n${rules}`;
    const settings = (name: string, data: object) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: 'default' },
      data,
    });
    {
      await using running = await world.run({ keepState: true, config: config() });
      world.server.create(settings('settings', { licence: canaries(1).path }));
      world.server.create(settings('other', { mode: 'fast' }));
      await until('two dead letters', async () => (await running.app.store.deadLetters({ limit: 10 })).length === 2);
    }
    assert.match(await stored(world), new RegExp(canaries(1).path));
    await using running = await world.run({
      keepState: true,
      config: config('[redact.paths]\ncm = ["data.licence"]\n'),
    });
    assertNothingIn('the store', await stored(world));
    const letters = await running.app.store.deadLetters({ limit: 10 });
    const errorOf = (name: string) => letters.find(({ change }) => change.name === name)?.error ?? '';
    assert.equal(errorOf('settings'), 'removed: new redaction rules hide something that it may quote');
    assert.match(errorOf('other'), /answered 422: cannot take /);
  });

  test('a new rule removes the notes of handlers on changes that wait for a branch, pending or dead', async () => {
    let isDown = true;
    await using world = await World.start(({ path: to }) => {
      if (to === '/dead') return { status: 404 };
      return isDown ? { status: 503, headers: { 'retry-after': '1' } } : {};
    });
    const branch = (name: string) =>
      `[[branch]]\nname = "${name}"\n[[branch.handler]]\nname = "webhook"\nurl = "${world.slack.url}/${name}"\nlayout = { said = "{{ change.notes.diff.headline }}", after = "{{ change.after.data | json }}" }\n`;
    const config = (rules = '') =>
      `[[resource]]\nkind = "configmap"\n[[handler]]\nname = "diff"\n${branch('down')}${branch('dead')}${rules}`;
    const settings = (round: number) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings', namespace: 'default' },
      data: { licence: canaries(round).path, round: String(round) },
    });
    world.server.create(settings(1));
    {
      await using running = await world.run({ keepState: true, config: config() });
      world.server.update(settings(2));
      await world.slack.waitFor(2);
      await until('a dead letter', async () => (await running.app.store.deadLetters({ limit: 10 })).length === 1);
      const [letter] = await running.app.store.deadLetters({ limit: 10 });
      assert.match(JSON.stringify(letter?.change.notes), new RegExp(canaries(2).path));
    }
    const seen = world.slack.requests.length;
    isDown = false;
    await using running = await world.run({
      keepState: true,
      config: config('[redact.paths]\ncm = ["data.licence"]\n'),
    });
    assertNothingIn('the store', await stored(world));
    const [letter] = await running.app.store.deadLetters({ limit: 10 });
    assert.deepEqual(letter?.change.notes, {});
    await until('the branch to be told', () => world.slack.requests.length > seen);
    assert.match(
      world.slack.requests.at(-1)?.body ?? '',
      /^\{"after":"\{\\"licence\\":\\"redacted:hmac-\w+\\",\\"round\\":\\"2\\"\}"\}$/,
    );
  });

  test('the headers and the URL of a webhook are in no error, dead letter or history, whatever the receiver echoes', async () => {
    await using world = await World.start((request) => ({
      status: request.path.endsWith('/ok') ? 200 : 400,
      body: `I got ${JSON.stringify(request.headers)} at ${request.path}`,
    }));
    const { webhook, header } = canaries(1);
    const sink = (id: string, more: string) =>
      `[[chain]]\nname = "${id}"\n[[chain.resource]]\nkind = "secret"\n[[chain.handler]]\nname = "webhook"\nurl = "${world.slack.url}/${webhook}/${id}"\n${more}`;
    const authorization = `headers = { Authorization = "Bearer ${header}", X-Note = "{{ change.after.data.note | default: 'none' }}" }\n`;
    await using running = await world.run({
      keepState: true,
      config: [
        sink('ok', authorization),
        sink('refused', authorization),
        sink(
          'broken',
          `${authorization}[chain.handler.layout]\nsize = "{{ change.after.data.password | quantity }}"\n`,
        ),
      ].join('\n'),
    });
    const [secret] = objects(1);
    world.server.create(secret as object);
    await world.slack.waitFor(2);
    await running.app.idle();
    const letters = await running.app.store.deadLetters({ limit: 10 });
    assert.deepEqual(letters.map(({ chain }) => chain).toSorted(), ['broken', 'refused']);
    assertNothingIn('the dead letters', JSON.stringify(letters));
    assertNothingIn('the history', JSON.stringify(await running.app.store.history({ limit: 10 })));
    await assertNoSecret(world, running);
    assert.ok(world.slack.requests.every(({ headers }) => headers.authorization === `Bearer ${header}`));
  });

  test('a Slack webhook URL is in no error, whatever the receiver does: echo, redirect, reset or refuse', async () => {
    const url = (world: World) => `${world.slack.url}/services/${canaries(1).webhook}`;
    await using world = await World.start((request, n) => {
      switch (n) {
        case 1:
          return { status: 500, body: `no luck with http://${request.headers.host}${request.path}` };
        case 2:
          return {
            status: 302,
            headers: { location: `http://other.example/${canaries(1).proxy}?from=${request.path}` },
          };
        case 3:
          return { status: 200, body: `<html>${request.path} is unknown` };
        case 4:
          return { reset: true };
        default:
          return { status: 404, body: `nothing at ${request.path}` };
      }
    });
    const config = `[retry]\nminTimeout = "1ms"\n${kwatchmanConfig(url(world), ['deployment'])}`;
    await using running = await world.run({ keepState: true, config });
    world.server.create(deployment('web'));
    await running.app.idle();
    await world.slack.waitFor(2);
    world.server.create(deployment('api'));
    await world.slack.waitFor(4);
    world.server.create(deployment('last'));
    await world.slack.waitFor(5);
    await running.app.idle();
    const letters = await running.app.store.deadLetters({ limit: 10 });
    assert.ok(letters.length > 0);
    assertNothingIn('the dead letters', JSON.stringify(letters));
    await assertNoSecret(world, running);
  });

  test('a token and a secret URL are shown to their receivers only, whatever those echo', async () => {
    const { header, webhook } = canaries(1);
    await using world = await World.start(({ headers, path, body }) => {
      return { status: 500, body: `<pre>${String(headers.authorization)} ${path} ${body}</pre>` };
    });
    const config = `
[retry]
retries = 0
[[resource]]
kind = "deployment"
[[branch]]
name = "slack"
[[branch.handler]]
name = "slack"
token = "xoxb-${header}"
channel = "#ops"
threadKey = "{{ change.key }}"
apiURL = "${world.slack.url}"
[[branch]]
name = "teams"
[[branch.handler]]
name = "teams"
webhookURL = "${world.slack.url}/workflows/${webhook}?sig=${webhook}"
`;
    await using running = await world.run({ keepState: true, config });
    world.server.create(deployment('web'));
    await world.slack.waitFor(2);
    await running.app.idle();
    const sent = world.slack.requests.map(({ headers, path }) => `${String(headers.authorization)} ${path}`).join('\n');
    assert.ok(
      sent.includes(`Bearer xoxb-${header} /chat.postMessage`) && sent.includes(`sig=${webhook}`),
      'they are used',
    );
    assert.equal((await running.app.store.deadLetters({ limit: 10 })).length, 2);
    await assertNoSecret(world, running);
  });

  test('what comes from a variable or a file that sounds like a secret is in no error, wherever a handler puts it; a name is', async () => {
    const { header, env } = canaries(1);
    await using world = await World.start(({ body }) => ({ status: 400, body: `I do not know ${body}` }));
    await world.workdir.write('pin', `${header}\n`);
    const thrower = `import { defineSink, z } from '${import.meta.resolve('../../src/index.ts')}';
export default defineSink({
  name: 'thrower', summary: 'Throws.', description: '', examples: [],
  options: z.strictObject({ pin: z.string() }),
  create: ({ pin }) => ({ deliver: () => Promise.reject(new Error('wrong pin ' + pin)) }),
});
`;
    await world.workdir.write('thrower.ts', thrower);
    const config = `
[retry]
retries = 0
[web]
open = true
[[resource]]
kind = "deployment"
[[branch]]
name = "pager"
[[branch.handler]]
name = "webhook"
url = "${world.slack.url}/enqueue"
layout = { routing_key = "\${PD_ROUTING_KEY}", where = "\${CLUSTER_NAME}" }
[[branch]]
name = "own"
[[branch.handler]]
name = "./thrower.ts"
pin = "\${file:pin}"
`;
    const reading = { env: { PD_ROUTING_KEY: env, CLUSTER_NAME: 'production' } };
    await using running = await world.run({ config, reading, listen: '127.0.0.1:0' });
    world.server.create(deployment('web'));
    await world.slack.waitFor(1);
    await running.app.idle();
    assert.deepEqual(JSON.parse(world.slack.requests[0]?.body ?? ''), { routing_key: env, where: 'production' });
    const letters = await running.app.store.deadLetters({ limit: 10 });
    const errors = letters.map(({ error }) => error.replace(/:\d+\)/, ')')).toSorted();
    assert.deepEqual(errors, [
      'default/pager/webhook (127.0.0.1) answered 400: I do not know {"routing_key":"***","where":"production"}',
      'wrong pin ***',
    ]);
    assertNothingIn("the service's log", running.serviceLog());
    const page = await (await fetch(`http://${running.app.listening}/`)).text();
    assert.match(page, /I do not know/);
    assertNothingIn('the page', page);
  });

  test('what the file itself names a secret is in no error, reason or log when a program or a receiver repeats it', async () => {
    const { header, env } = canaries(1);
    await using world = await World.start(({ body }) => ({ status: 400, body: `I do not know ${body}` }));
    const program = (name: string, code: string, more = '') => `[[branch]]
name = "${name}"
[[branch.handler]]
name = "exec"
command = ["sh", "-c", "read line; echo no luck with $API_TOKEN >&2; ${code}"]
env = { API_TOKEN = "${env}" }
${more}`;
    const config = `
[retry]
retries = 0
[[resource]]
kind = "deployment"
${program('fails', 'exit 3')}
${program('halts', 'exit 10')}
${program('lines', 'exit 3', 'mode = "lines"')}
[[branch]]
name = "pager"
[[branch.handler]]
name = "webhook"
url = "${world.slack.url}/enqueue"
layout = { token = "${header}", tokenFile = "/etc/pin", where = "production" }
`;
    await using running = await world.run({ keepState: true, config });
    world.server.create(deployment('web'));
    await world.slack.waitFor(1);
    await running.app.idle();
    await until('the line on stderr', () => /Plug-in output on stderr/.test(running.serviceLog()));
    const letters = await running.app.store.deadLetters({ limit: 10 });
    const errors = letters.map(({ error }) => error).toSorted();
    assert.match(errors[0] ?? '', /I do not know \{"token":"\*\*\*","tokenFile":"\/etc\/pin","where":"production"\}$/);
    assert.ok(errors.includes('it ended with exit code 3: no luck with ***'), errors.join('\n'));
    await until('the halt', () => /"reason":"no luck with \*\*\*"/.test(running.serviceLog()));
    assertNothingIn("the service's log", running.serviceLog());
    assertNothingIn('the store', await stored(world));
  });
});
