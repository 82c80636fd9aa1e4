/** A reload: the program follows its configuration without losing or repeating a change, or listing again. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { StoreError } from '../../src/store/store-error.ts';
import { fasterClock } from '../../src/testing/living-cluster.ts';
import { until } from '../until.ts';
import { deployment } from './cluster.ts';
import { World } from './world.ts';
import { configMap, idle, lists, logging, MORE, told } from './reloading.ts';

const full = () => Promise.reject(new StoreError('STORE_FULL', 'no space is left on its volume'));

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

  test('to a faster rate sends at once what waits for the slower one', async () => {
    await using world = await World.start();
    const webhook = (perSecond: number) =>
      `[[handler]]\nname = "webhook"\nurl = "${world.slack.url}"\nmessagesPerSecond = ${perSecond}\n`;
    await using running = await world.run({ config: logging(['configmap'], webhook(0.001)) });
    for (const name of ['a', 'b', 'c']) world.server.create(configMap(name, 'new'));
    await until('one is sent, and two wait', async () => {
      const [balance] = await running.app.store.balances();
      return balance?.pending === 2 && world.slack.requests.length === 1;
    });
    await running.reload(logging(['configmap'], webhook(0)));
    await until('the others are sent', () => world.slack.requests.length === 3);
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

  test('without a quiet delivers at once what it held; with another one, holds it on', async () => {
    await using world = await World.start();
    const quiet = (until: number) => `quiet = [{ until = "${until}-01-01T00:00:00Z" }]\n`;
    const config = logging(['configmap']);
    await using running = await world.run({ config: quiet(2100) + config });
    world.server.create(configMap('settings', 'a'));
    const reason = async () => (await running.app.store.trip(1))?.deliveries[0]?.reason;
    const holds = (end: number) =>
      until(`it is held until ${end}`, async () => (await reason())?.startsWith(`quiet until ${end}-`) === true);
    await holds(2100);
    await running.reload(quiet(2101) + config);
    await holds(2101);
    assert.deepEqual(told(running), []);
    await running.reload(config);
    await idle(running, 1);
  });

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
