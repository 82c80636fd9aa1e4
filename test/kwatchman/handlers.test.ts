/** kwatchman's acceptance list: the handlers, and what many objects cost. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { deployment } from '../e2e/cluster.ts';
import { messages } from '../e2e/main-job.ts';
import { World } from '../e2e/world.ts';
import { until } from '../until.ts';
import { chainOf, image, slackHandler } from './chain.ts';

/** A receiver's connections are reused, up to this many; kwatchman leaks one for each post. */
const MAX_SOCKETS = 16;

describe('kwatchman: handlers', () => {
  test('25 (P) ignoreEvents after diff lets only UPDATE through; (F) a bad name is refused at start', async () => {
    await using world = await World.start();
    const only = (events: string) =>
      chainOf('name = "diff"', `name = "ignoreEvents"\nevents = ${events}`, slackHandler(world.slack.url));
    await using running = await world.run({ config: only('["Add", "Delete"]') });
    world.server.create(image('nginx:1'));
    world.server.update(image('nginx:2'));
    world.server.delete('Deployment', 'web', 'default');
    await world.slack.waitFor(1);
    await running.app.idle();
    assert.deepEqual(world.titles(), ['UPDATE deployment\ndefault/web']);
    await assert.rejects(world.run({ config: only('["Added"]') }), /must be "Add".*"Added"/s);
  });

  test('26 (P) the Slack body: one attachment, its fields and colours', async () => {
    await using world = await World.start();
    await using running = await world.run();
    world.server.create(image('nginx:1'));
    world.server.update(image('nginx:2'));
    await world.slack.waitFor(2);
    assert.equal(running.app.health().ready, true);
    const [request] = world.slack.requests;
    assert.equal(request?.method, 'POST');
    assert.match(request?.headers['content-type'] ?? '', /^application\/json/);
    const body = JSON.parse(world.slack.requests[1]?.body ?? '') as { attachments: Record<string, unknown>[] };
    assert.deepEqual(Object.keys(body), ['attachments']);
    assert.equal(body.attachments.length, 1);
    const [{ ts, text, author_name, author_link, ...exact } = {}] = body.attachments;
    assert.deepEqual(exact, {
      color: '#F39C12',
      fallback: 'UPDATE deployment\ndefault/web',
      title: 'UPDATE deployment\ndefault/web',
      footer: 'myClusterName',
    });
    assert.equal(typeof ts, 'number');
    assert.equal(typeof author_name, 'string');
    assert.match(String(author_link), /^https:/);
    assert.match(String(text), /^```[^]+```$/);
    assert.deepEqual(
      world.messages().map(({ color }) => color),
      ['#1ADA00', '#F39C12'],
    );
  });

  test('27 (P) at most 4000 characters; (F) the cut is visible, and backticks cannot end the block', async () => {
    await using world = await World.start();
    const named = (value: string) => ({
      ...deployment('web'),
      metadata: { name: 'web', namespace: 'default', annotations: { note: value } },
    });
    world.server.create(named('我想玩电脑'));
    await using running = await world.run();
    world.server.update(named(`${'我想玩电脑'.repeat(2000)}\`\`\``));
    await world.slack.waitFor(1);
    world.server.update(named('```<!channel> & more```'));
    await world.slack.waitFor(2);
    assert.equal(running.app.health().ready, true);
    const [long, hostile] = world.messages();
    assert.ok(Array.from(long?.text ?? '').length <= 4000);
    assert.match(long?.text ?? '', /… \(?[\d,]+ (more|characters)/);
    for (const message of [long, hostile]) assert.equal(message?.text.split('```').length, 3);
    assert.doesNotMatch(hostile?.text ?? '', /<!channel>/);
  });

  test('28 (F) a webhook that never answers delays nothing else, and posts leave no open sockets', async () => {
    await using world = await World.start((request) =>
      request.body.includes('default/stuck') ? { hang: true } : { body: 'ok' },
    );
    const impatient = `${slackHandler(world.slack.url)}timeout = "2s"\n`;
    await using running = await world.run({ config: chainOf('name = "diff"', impatient) });
    world.server.create(deployment('stuck'));
    await world.slack.waitFor(1);
    for (let n = 0; n < 1000; n++) world.server.create(deployment(`web-${n}`));
    await until('everybody to be told of', () => new Set(world.titles()).size === 1001);
    assert.equal(running.app.health().ready, true);
    assert.ok(world.slack.openSockets <= MAX_SOCKETS, `${world.slack.openSockets} sockets are open`);
  });

  test('30 (P) log: one info entry with key, action, payload; the manifest at debug; (F) kind, as JSON on stdout', async () => {
    await using world = await World.start();
    world.server.create(image('nginx:1'));
    await using running = await world.run({
      config: chainOf('name = "diff"', 'name = "log"\nlevel = "debug"', slackHandler(world.slack.url)),
    });
    world.server.update(image('nginx:2'), { manager: 'kubectl-set' });
    await world.slack.waitFor(1);
    await running.app.idle();
    const info = running.entries().filter(({ level }) => level === 'info');
    assert.equal(info.length, 1);
    const [entry] = info;
    assert.deepEqual([entry?.['key'], entry?.['action'], entry?.['kind']], ['default/web', 'updated', 'Deployment']);
    assert.match(JSON.stringify(entry), /nginx:1.*nginx:2/);
    const debug = running.entries().find(({ level }) => level === 'debug');
    assert.match(JSON.stringify(debug), /"image":"nginx:2"/);
  });

  test('35 (F) a denied kind is named in readiness and the log, and stops no other', async () => {
    await using world = await World.start();
    const denied = world.server.fault({ path: '/api/v1/services', effect: 'status', status: 403 });
    await using running = await world.run({ listen: '127.0.0.1:0' });
    world.server.create(deployment('web'));
    await world.slack.waitFor(1);
    const readiness = await (await fetch(`http://${running.app.listening}/readyz`)).text();
    assert.match(readiness, /degraded: v1\/services: .*403/s);
    assert.match(running.serviceLog(), /services.*403|403.*services/);
    assert.ok(denied.hits > 0);
    assert.deepEqual(
      messages(world.slack).map(({ title }) => title),
      ['ADD deployment\ndefault/web'],
    );
  });

  test('33 (F) with 5,000 idle deployments an update is reported at once, without a list or a timer', async () => {
    await using world = await World.start();
    for (let n = 0; n < 5000; n++) world.server.create(deployment(`web-${n}`));
    world.server.create(image('nginx:1'));
    const config = chainOf('name = "diff"', slackHandler(world.slack.url));
    // The clock stands still, so that nothing that waits for a time is sent.
    await using running = await world.run({ config, clock: new FakeClock() });
    const asked = world.server.requests.length;
    world.server.update(image('nginx:2'));
    await world.slack.waitFor(1);
    assert.equal(running.app.health().scopes[0]?.objects, 5001);
    assert.equal(world.server.requests.length, asked, 'it came from the watch: nothing was listed again');
  });
});
