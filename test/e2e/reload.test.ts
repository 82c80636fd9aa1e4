/** Live reload: the file on disk changes, and the program follows without losing or repeating a change, or listing again. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { StoreError } from '../../src/store/store-error.ts';
import { startReceiver, type CapturedRequest } from '../../src/testing/receiver.ts';
import { fasterClock } from '../../src/testing/living-cluster.ts';
import { until } from '../until.ts';
import { deployment } from './cluster.ts';
import { kwatchmanConfig, startProgram } from './main-job.ts';
import { World, type Running } from './world.ts';

const configMap = (name: string, value: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data: { value },
});

/** One chain that logs what changes, with more of the file after it. */
const logging = (kinds: readonly string[], handlers = '', more = '') =>
  `${kinds.map((kind) => `[[resource]]\nkind = "${kind}"\n`).join('')}${handlers}[[handler]]\nname = "log"\n${more}`;

/** Another chain for the same objects. */
const MORE = '[[chain]]\nname = "more"\n[[chain.resource]]\nkind = "configmap"\n[[chain.handler]]\nname = "log"\n';

const lists = ({ server }: World, plural: string): number =>
  server.requests.filter(({ path, query }) => path.endsWith(`/${plural}`) && query.get('watch') === null).length;

const told = (running: Running): string[] =>
  running.entries().map((entry) => `${String(entry['action'])} ${String(entry['key'])}`);

async function idle({ app }: Running, accepted: number): Promise<void> {
  await until(`${accepted} accepted`, async () => {
    const balances = await app.store.balances();
    return balances.reduce((sum, chain) => sum + chain.accepted, 0) >= accepted;
  });
  await app.idle();
}

const full = () => Promise.reject(new StoreError('STORE_FULL', 'no space is left on its volume'));

describe('the configuration file of a running program', () => {
  test('is reloaded when it changes; an invalid one is reported, and the old one stays in use until it is fixed', async () => {
    await using world = await World.start();
    await using fresh = await startReceiver(() => ({ body: 'ok' }));
    world.server.create(deployment('web'));
    const kubeconfig = await world.server.writeKubeconfig(world.workdir.file('kubeconfig'));
    const good = kwatchmanConfig(world.slack.url, ['deployment']);
    await world.workdir.write('config.toml', good);
    await using program = startProgram(world.workdir, { url: world.server.url, kubeconfig });
    await program.ready();

    await world.workdir.write('config.toml', good.replace('name = "diff"', 'name = "dif"'));
    await program.until('the refusal', ({ stderr }) => /config\.toml:5: .*dif/.test(stderr));
    world.server.update(deployment('web', 'nginx', 2));
    await world.slack.waitFor(1);

    await world.workdir.write('config.toml', kwatchmanConfig(fresh.url, ['deployment', 'configmap']));
    await program.until('the reload', ({ stderr }) => /"Configuration reloaded"/.test(stderr));
    await program.ready();
    world.server.update(deployment('web', 'nginx', 3));
    world.server.create(configMap('settings', 'a'));
    await fresh.waitFor(2);

    const { code } = await program.stop();
    assert.equal(code, 0);
    assert.deepEqual([world.slack.requests.length, fresh.requests.length], [1, 2]);
    assert.equal(lists(world, 'deployments'), 1);
  });

  test('is read again when a missing file that it refers to appears', async () => {
    await using world = await World.start();
    const kubeconfig = await world.server.writeKubeconfig(world.workdir.file('kubeconfig'));
    await world.workdir.write('config.toml', kwatchmanConfig(world.slack.url, ['deployment']));
    await using program = startProgram(world.workdir, { url: world.server.url, kubeconfig });
    await program.ready();
    await world.workdir.write('config.toml', kwatchmanConfig('${file:url}', ['deployment', 'configmap']));
    await program.until('the refusal', ({ stderr }) => /webhookURL: cannot read .*url \(ENOENT\)/.test(stderr));
    await world.workdir.write('url', world.slack.url);
    await program.until('the reload', ({ stderr }) => /"Configuration reloaded"/.test(stderr));
    assert.equal((await program.stop()).code, 0);
  });

  test('is not reloaded while a file that it refers to is empty, and the old value stays in use', async () => {
    await using world = await World.start();
    const answer = ({ headers }: CapturedRequest) => ({ status: headers.authorization === 'Bearer new' ? 200 : 401 });
    await using receiver = await startReceiver(answer);
    const sink = `[[handler]]\nname = "webhook"\nurl = "${receiver.url}"\nheaders = { Authorization = "Bearer \${file:token}" }\n`;
    await world.workdir.write('token', 'new\n');
    await using running = await world.run({ config: logging(['configmap'], sink) });
    await world.workdir.write('token', '');
    await assert.rejects(running.reload(logging(['configmap'], sink)), {
      code: 'CONFIG',
      message: /token \(it is empty\)/,
    });
    world.server.create(configMap('settings', 'a'));
    await idle(running, 1);
    assert.equal((await running.app.store.balances())[0]?.completed, 1);
  });

  test('without the handler or the chain of a dead letter refuses its replay with 409, and keeps it', async () => {
    await using world = await World.start(() => ({ status: 400 }));
    const sink = `[[handler]]\nname = "webhook"\nurl = "${world.slack.url}"\n`;
    await using running = await world.run({ config: logging(['configmap'], sink), listen: '127.0.0.1:0' });
    world.server.create(configMap('settings', 'a'));
    await idle(running, 1);
    const replay = async () => {
      const headers = { 'content-type': 'application/json', 'x-watchchain': 'test' };
      const url = `http://${running.app.listening}/api/dead-letters/replay`;
      const answer = await fetch(url, { method: 'POST', headers, body: '{"ids":[1]}' });
      return `${answer.status} ${await answer.text()}`;
    };
    await running.reload(logging(['configmap']));
    assert.match(await replay(), /^409 .*no handler default\/webhook any more/);
    await running.reload(MORE);
    assert.match(await replay(), /^409 .*no chain \\"default\\" any more/);
    assert.equal((await running.app.store.deadLetters({ limit: 10 })).length, 1);
    await running.reload(logging(['configmap'], sink));
    assert.equal(await replay(), '200 {"ids":[1]}');
  });

  test('is read again when a handler that it names, and that could not be loaded, is fixed', async () => {
    await using world = await World.start();
    const kubeconfig = await world.server.writeKubeconfig(world.workdir.file('kubeconfig'));
    await world.workdir.write('config.toml', logging(['deployment']));
    await using program = startProgram(world.workdir, { url: world.server.url, kubeconfig });
    await program.ready();
    await world.workdir.write('config.toml', logging(['deployment'], '[[handler]]\nname = "./own.ts"\n'));
    await program.until('the refusal', ({ stderr }) => /there is no file \S+own\.ts/.test(stderr));
    await world.workdir.write('own.ts', 'export default (');
    await program.until('the next', ({ stderr }) => /own\.ts.*cannot be loaded/.test(stderr));
    await world.workdir.write('own.ts', 'export default () => {};\n');
    await program.until('the reload', ({ stderr }) => /"Configuration reloaded"/.test(stderr));
    assert.equal((await program.stop()).code, 0);
  });

  test('refers to a file that is rotated during standby: the new content is used', async () => {
    await using world = await World.start();
    await using fresh = await startReceiver(() => ({ body: 'ok' }));
    const kubeconfig = await world.server.writeKubeconfig(world.workdir.file('kubeconfig'));
    const lease = (holderIdentity: string) => ({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'turn', namespace: 'default' },
      spec: { holderIdentity, leaseDurationSeconds: 3_600, renewTime: new Date().toISOString().replace('Z', '000Z') },
    });
    world.server.create(lease('another'));
    await world.workdir.write('url', world.slack.url);
    const waits = '[lease]\nname = "turn"\nnamespace = "default"\n';
    await world.workdir.write('config.toml', `${kwatchmanConfig('${file:url}', ['deployment'])}${waits}`);
    await using program = startProgram(world.workdir, { url: world.server.url, kubeconfig });
    await program.until('waiting', ({ stderr }) => /"Waiting for the lease"/.test(stderr));
    await world.workdir.write('url', fresh.url);
    world.server.update(lease(''));
    await program.until('the reload', ({ stderr }) => /"Configuration reloaded"/.test(stderr));
    await program.ready();
    world.server.create(deployment('web'));
    await fresh.waitFor(1);
    assert.equal((await program.stop()).code, 0);
    assert.equal(world.slack.requests.length, 0);
  });

  test('shows in health and metrics while it differs from the running one', async () => {
    await using world = await World.start();
    await using running = await world.run({ config: logging(['deployment']) });
    await assert.rejects(running.reload(logging(['deploymnt'])), {
      code: 'CONFIG',
      message: /config\.toml:1: .*deploymnt/,
    });
    running.app.reloadFailed(['config.toml:2: not served']);
    assert.equal(running.app.health().configProblem, 'config.toml:2: not served');
    assert.match(await running.app.metrics.registry.metrics(), /config_last_reload_successful 0/);

    await running.reload(logging(['deployment', 'configmap']));
    assert.equal(running.app.health().configProblem, undefined);
    assert.match(await running.app.metrics.registry.metrics(), /config_last_reload_successful 1/);
  });
});

describe('reload', () => {
  test('removes the metrics of scopes and receivers that are gone', async () => {
    await using world = await World.start();
    world.server.create(deployment('web'));
    world.server.create(configMap('settings', 'a'));
    const slack = `[[handler]]\nname = "slack"\nid = "NAME"\nwebhookURL = "${world.slack.url}"\n`;
    const selected = '[[resource]]\nkind = "deployment"\nlabelSelector = "tier=web"\n';
    const before = logging(['deployment', 'configmap'], slack.replace('NAME', 'old'));
    await using running = await world.run({ config: `${selected}${before}` });
    const shown = async () => {
      const metrics = await running.app.metrics.registry.metrics();
      return [...metrics.matchAll(/^watchchain_(scope_\w+|breaker_open)\{(?:resource|receiver)="([^"]+)"/gm)]
        .map(([, name = '', of = '']) => `${name} ${of}`)
        .toSorted();
    };
    const scope = (of: string) => [
      `scope_last_heard_timestamp_seconds ${of}`,
      `scope_objects ${of}`,
      `scope_synced ${of}`,
    ];
    const [configMaps, deployments] = [scope('v1/configmaps'), scope('apps/v1/deployments')];
    assert.deepEqual(await shown(), ['breaker_open default/old', ...configMaps, ...deployments].toSorted());
    await running.reload(logging(['deployment'], slack.replace('NAME', 'new')));
    await running.app.idle();
    assert.deepEqual(await shown(), ['breaker_open default/new', ...deployments].toSorted());
  });

  test('in the middle of a stream of changes reports each of them exactly once, and none as whileAway', async () => {
    await using world = await World.start();
    for (let n = 0; n < 5; n++) world.server.create(configMap(`c${n}`, 'start'));
    await using running = await world.run({ config: logging(['configmap']) });
    const another =
      '[[chain]]\nname = "more"\n[[chain.resource]]\nkind = "deployment"\n[[chain.handler]]\nname = "log"\n';
    const variants = [
      logging(['configmap'], '[[handler]]\nname = "diff"\n'),
      logging(['configmap', 'service'], '', another),
      logging(['configmap']),
      logging(['configmap', 'deployment'], '[[handler]]\nname = "match"\nnamespace = "default"\n'),
    ];
    const rounds = 12;
    for (let round = 0; round < rounds; round++) {
      const reloaded = running.reload(variants[round % variants.length] ?? '');
      for (let n = 0; n < 5; n++) world.server.update(configMap(`c${n}`, `${round}`));
      await reloaded;
    }
    await idle(running, rounds * 5);

    const versions = running.entries().map((entry) => String(entry['resourceVersion']));
    assert.equal(versions.length, rounds * 5);
    assert.equal(new Set(versions).size, rounds * 5);
    const history = await running.app.store.history({ limit: 1_000 });
    assert.deepEqual(
      history.filter(({ flags }) => flags.whileAway === true),
      [],
    );
  });

  for (const [how, compacted] of [
    ['the watch is resumed', false],
    ['the list has arrived', true],
  ] as const) {
    test(`before ${how} after a restart keeps changes of the downtime marked as whileAway`, async () => {
      await using world = await World.start();
      const names = ['a', 'b', 'c'];
      for (const name of names) world.server.create(configMap(name, 'before'));
      {
        await using _first = await world.run({ config: logging(['configmap']), keepState: true });
      }
      for (const name of names) world.server.update(configMap(name, 'after'));
      if (compacted) world.server.compact();
      const down = world.server.fault({ path: /configmaps/, effect: 'status', status: 503 });
      await using running = await world.run({ config: logging(['configmap']), keepState: true });
      await running.reload(logging(['configmap'], '', MORE));
      down.remove();
      await idle(running, 2 * names.length);
      const history = await running.app.store.history({ limit: 1_000 });
      assert.deepEqual(
        history.map(({ flags }) => flags.whileAway),
        names.map(() => true),
      );
    });
  }

  test('does not list again what is still watched, even for another chain', async () => {
    await using world = await World.start();
    world.server.create(configMap('settings', 'a'));
    await using running = await world.run({ config: logging(['configmap']) });
    await running.reload(logging(['configmap'], '', MORE));
    world.server.update(configMap('settings', 'b'));
    await idle(running, 2);
    assert.deepEqual(told(running), ['updated default/settings', 'updated default/settings']);
    assert.equal(lists(world, 'configmaps'), 1);
  });

  test('to handlers that read more makes a new baseline, and reports nothing', async () => {
    await using world = await World.start();
    world.server.create(deployment('web'));
    const withoutStatus = '[[handler]]\nname = "diff"\n';
    await using running = await world.run({ config: logging(['deployment'], withoutStatus) });
    await running.reload(logging(['deployment']));
    await running.app.idle();
    assert.deepEqual(told(running), []);
    world.server.update({ ...deployment('web'), status: { readyReplicas: 1 } }, { subresource: 'status' });
    await idle(running, 1);
    assert.deepEqual(told(running), ['updated default/web']);
  });

  test('forgets a removed scope; when it is added again, its objects are not announced', async () => {
    await using world = await World.start();
    world.server.create(configMap('settings', 'a'));
    await using running = await world.run({ config: logging(['configmap', 'deployment']) });
    await running.reload(logging(['deployment']));
    world.server.update(configMap('settings', 'b'));
    await running.reload(logging(['configmap', 'deployment']));
    await running.app.idle();
    world.server.update(configMap('settings', 'c'));
    await idle(running, 1);
    const [change] = await running.app.store.history({ limit: 10 });
    assert.deepEqual(told(running), ['updated default/settings']);
    assert.deepEqual(change?.before?.['data'], { value: 'b' });
  });

  test('in which the store refuses a call can be repeated, and watches the new scope', async (t) => {
    await using world = await World.start();
    world.server.create(configMap('settings', 'a'));
    await using running = await world.run({ config: logging(['deployment']) });
    t.mock.method(running.app.store, 'forgetScope', full, { times: 1 });
    await assert.rejects(running.reload(logging(['configmap'])), /no space is left/);
    await running.reload(logging(['configmap']));
    await until('the watch', () => running.app.health().ready);
    world.server.update(configMap('settings', 'b'));
    await idle(running, 1);
    assert.deepEqual(told(running), ['updated default/settings']);
  });

  test('in which the store refuses a call keeps the old chains and their watches', async (t) => {
    await using world = await World.start();
    const config = logging(['configmap']);
    world.server.create(configMap('settings', 'a'));
    world.server.create(deployment('web'));
    await using running = await world.run({ config });
    t.mock.method(running.app.store, 'forgetScope', full, { times: 1 });
    await assert.rejects(running.reload(MORE.replace('configmap', 'deployment')), /no space is left/);
    world.server.update(deployment('web', 'nginx', 2));
    world.server.update(configMap('settings', 'b'));
    await until('the old chain', () => told(running).length === 1);
    assert.deepEqual(told(running), ['updated default/settings']);
    const balances = await running.app.store.balances();
    assert.deepEqual(
      balances.map(({ chain }) => chain),
      ['default'],
    );
  });

  test('whose handler does not start keeps the old handlers', async () => {
    await using world = await World.start();
    await world.workdir.write(
      'broken.ts',
      "export default { type: 'transform', create() { return { start() { throw new Error('no way'); }, handle: (c: unknown) => c }; } };\n",
    );
    world.server.create(configMap('settings', 'a'));
    await using running = await world.run({ config: logging(['configmap']) });
    await assert.rejects(running.reload(logging(['configmap'], '[[handler]]\nname = "./broken.ts"\n')));
    world.server.update(configMap('settings', 'b'));
    await idle(running, 1);
    assert.deepEqual(told(running), ['updated default/settings']);
  });

  test('whose handler, new and old, does not start stops only that chain, and reports it', async () => {
    await using world = await World.start();
    world.server.create(configMap('settings', 'a'));
    const folder = world.workdir.file('lines');
    await mkdir(folder);
    const chain = (name: string, handler: string) =>
      `[[chain]]\nname = "${name}"\n[[chain.resource]]\nkind = "configmap"\n[[chain.handler]]\n${handler}\n`;
    const config = (path: string, more = '') =>
      `${chain('files', `name = "file"\npath = "${path}/a.jsonl"`)}${chain('logs', `name = "log"${more}`)}`;
    await using running = await world.run({ config: config(folder) });
    await rm(folder, { recursive: true });
    await assert.rejects(running.reload(config(world.workdir.file('typo'), '\nid = "other"')), {
      message: /typo.*\n.*"files" is stopped until.*lines/,
    });
    world.server.update(configMap('settings', 'b'));
    await until('the other chain', () => told(running).length === 1);

    await mkdir(folder);
    await running.reload(config(folder));
    await idle(running, 2);
    assert.match(await readFile(`${folder}/a.jsonl`, 'utf8'), /"settings"/);
  });

  test('without the handler that asked to be woken halts its wake-up before the branches', async () => {
    await using world = await World.start();
    await world.workdir.write(
      'waking.ts',
      `import { defineStateful, z } from 'watchchain';
      export default defineStateful({
        type: 'stateful', name: 'waking', summary: '', description: '', options: z.strictObject({}), examples: [],
        create: () => ({
          handle(change, { wakeAt, now }) {
            if (change.action !== 'timer') wakeAt(change.key, now + 60_000);
            return { verdict: change, state: 1 };
          },
        }),
      });\n`,
    );
    const chain = (handler: string) =>
      `[[resource]]\nkind = "configmap"\n[[handler]]\n${handler}\n[[branch]]\nname = "ops"\n[[branch.handler]]\nname = "log"\n`;
    await using running = await world.run({ config: chain('name = "./waking.ts"'), clock: fasterClock(60) });
    world.server.create(configMap('settings', 'a'));
    await until('the change to be told', () => told(running).length === 1);
    await running.reload(chain('name = "match"\nnamespace = "default"'));
    const balances = async () =>
      (await running.app.store.balances()).map(({ chain: name, completed, halted }) => [name, completed, halted]);
    await until('the wake-up', async () => (await balances())[0]?.slice(1).join() !== '1,0');
    assert.deepEqual(await balances(), [
      ['default', 1, 1],
      ['default/ops', 1, 0],
    ]);
    assert.match(running.serviceLog(), /"Change halted".*handler that is no longer configured/);
  });

  test('to new redaction rules applies them to changes in flight, before handlers see them again', async () => {
    await using world = await World.start();
    await world.workdir.write(
      'slow.ts',
      `const seen: string[] = [];
      export default (change: any, { log, signal }: any) => {
        log.info('Seen', { value: change.after.data.value });
        const noted = { ...change, notes: { ...change.notes, copy: change.after.data.value } };
        if (seen.push('once') > 1) return noted;
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      };\n`,
    );
    world.server.create(configMap('settings', 'a'));
    const slow = '[[handler]]\nname = "./slow.ts"\n';
    const branch = '[[branch]]\nname = "audit"\n[[branch.handler]]\nname = "log"\n';
    const before = logging(['configmap'], slow, branch);
    await using running = await world.run({ config: before, clock: fasterClock(4) });
    world.server.update(configMap('settings', 'c4nary'));
    const seen = () =>
      [...running.serviceLog().matchAll(/"message":"Seen".*"value":"([^"]*)"/g)].map(([, value]) => value);
    await until('the handler to be at work', () => seen().length === 1);
    await running.reload(`${before}[redact.paths]\nconfigmap = ["data.value"]\n`);
    await idle(running, 1);
    assert.equal(seen()[0], 'c4nary');
    assert.equal(seen().length, 2);
    assert.doesNotMatch(String(seen()[1]), /c4nary/);
    assert.doesNotMatch(JSON.stringify(running.entries()), /c4nary/);
  });

  test('to new redaction rules applies them to cached lookups, too', async () => {
    await using world = await World.start();
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'default', uid: 'pod-1' } };
    world.server.create({ ...pod, metadata: { ...pod.metadata, annotations: { key: 'c4nary' } } });
    const layout = '{ text = "{{ event.message }} {{ involved.annotations.key }}" }';
    const config = `[[resource]]\nkind = "event"\n[[handler]]\nname = "webhook"\nurl = "${world.slack.url}"\nlayout = ${layout}\n`;
    await using running = await world.run({ config });
    const say = (message: string) => {
      const metadata = { name: message, namespace: 'default' };
      const involvedObject = { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'web', uid: 'pod-1' };
      world.server.create({ apiVersion: 'v1', kind: 'Event', metadata, message, involvedObject });
    };
    say('first');
    await world.slack.waitFor(1);
    await running.reload(`${config}[redact.paths]\npod = ["metadata.annotations.key"]\n`);
    say('second');
    await world.slack.waitFor(2);
    const [first, second] = world.slack.requests.map(({ body }) => body);
    assert.match(first ?? '', /first c4nary/);
    assert.match(second ?? '', /second /);
    assert.doesNotMatch(second ?? '', /c4nary/);
  });

  test('to new redaction rules that fails for a full disk keeps the old handlers, and shows the new ones nothing', async (t) => {
    await using world = await World.start();
    await world.workdir.write('down.ts', "export default () => { throw new Error('later'); };\n");
    world.server.create(configMap('settings', 'a'));
    const before = logging(['configmap'], '[[handler]]\nname = "./down.ts"\n');
    await using running = await world.run({ config: before, clock: fasterClock(20) });
    const failures = () => running.serviceLog().split('"Handler failed').length - 1;
    world.server.update(configMap('settings', 'c4nary'));
    await until('the failure', () => failures() === 1);
    t.mock.method(running.app.store, 'replaceManifests', full, { times: 1 });
    const hiding = logging(['configmap'], '', '[redact.paths]\nconfigmap = ["data.value"]\n');
    await assert.rejects(running.reload(hiding), /no space is left/);
    await until('the old handlers to be at work', () => failures() > 1);
    assert.deepEqual(told(running), []);
    await running.reload(hiding);
    await until('the change to be told', () => told(running).length === 1);
    assert.doesNotMatch(JSON.stringify(running.entries()), /c4nary/);
  });

  test('refuses what only a restart can change', async () => {
    await using world = await World.start();
    await using running = await world.run({ config: logging(['configmap']) });
    await assert.rejects(running.reload(logging(['configmap'], '', '[cluster]\nname = "other"\n')), {
      code: 'CONFIG',
      message: /config\.toml: \[cluster\] has changed: restart to use it/,
    });
    await assert.rejects(running.reload(logging(['configmap'], '', '[log]\nlevel = "debug"\n')), {
      message: /\[log\] has changed: restart to use it/,
    });
  });
});
