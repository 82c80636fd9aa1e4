import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deployment } from './cluster.ts';
import { World } from './world.ts';
import { until } from '../until.ts';

const config = (slackURL: string): string => `
[[resource]]
kind = "deployment"
[[handler]]
name = "diff"

[[branch]]
name = "everything"
[[branch.handler]]
name = "log"

[[branch]]
name = "web"
retry = { retries = 0 }
[[branch.handler]]
name = "match"
changed = "spec.template.spec.containers[*].image"
[[branch.handler]]
name = "slack"
webhookURL = "${slackURL}"
messagesPerSecond = 0
`;

/** Order is kept per object only. */
const byKey = (a: readonly unknown[], b: readonly unknown[]): number =>
  String(a[1]) < String(b[1]) ? -1 : Number(a[1] !== b[1]);

describe('branches of a configuration', () => {
  test('deliver on their own, with the diff made before them; one that fails holds up no other', async () => {
    await using world = await World.start((_, n) => (n === 1 ? { status: 500 } : { body: 'ok' }));
    world.server.create(deployment('web', 'nginx:1', 1));
    await using running = await world.run({ config: config(world.slack.url) });
    world.server.update(deployment('web', 'nginx:1', 3), { manager: 'kubectl-scale' });
    world.server.update(deployment('web', 'nginx:2', 3), { manager: 'kubectl-set' });
    world.server.create(deployment('db', 'postgres:17', 1));
    world.server.update(deployment('web', 'nginx:3', 3), { manager: 'kubectl-set' });
    await world.slack.waitFor(2);
    await running.app.idle();

    assert.deepEqual(
      running
        .entries()
        .map(({ action, key, headline }) => [action, key, headline])
        .toSorted(byKey),
      [
        ['added', 'default/db', undefined],
        ['updated', 'default/web', 'replicas 1 -> 3'],
        ['updated', 'default/web', 'image web nginx:1 -> nginx:2'],
        ['updated', 'default/web', 'image web nginx:2 -> nginx:3'],
      ],
    );
    const [failed, sent] = world.messages();
    assert.match(failed?.text ?? '', /nginx:1 -> nginx:2 · by kubectl-set/);
    assert.match(sent?.text ?? '', /nginx:2 -> nginx:3/);
    const balances = await running.app.store.balances();
    assert.deepEqual(
      balances.map(({ chain, accepted, completed, halted, dead, pending }) => ({
        chain,
        accepted,
        completed,
        halted,
        dead,
        pending,
      })),
      [
        { chain: 'default', accepted: 4, completed: 4, halted: 0, dead: 0, pending: 0 },
        { chain: 'default/everything', accepted: 4, completed: 4, halted: 0, dead: 0, pending: 0 },
        { chain: 'default/web', accepted: 4, completed: 1, halted: 2, dead: 1, pending: 0 },
      ],
    );
    const [letter] = await running.app.store.deadLetters({ limit: 10 });
    assert.equal(letter?.handler, 'default/web/slack');
  });

  test('with otherwise, a branch gets what no branch beside it takes', async () => {
    const branch = (name: string, handlers: string, more = '') =>
      `[[branch]]\nname = "${name}"\n${more}${handlers}[[branch.handler]]\nname = "log"\n`;
    const match = (test: string) => `[[branch.handler]]\nname = "match"\n${test}\n`;
    await using world = await World.start();
    const text = [
      '[[resource]]\nkind = "deployment"\n[[resource]]\nkind = "configmap"\n',
      branch('web and db', match('objectName = "^(web|db)$"') + match('objectName = "^old$"\ndrop = true')),
      branch('shop team', match('namespaceLabels = { team = "^shop$" }')),
      branch('the rest', '', 'otherwise = true\nquiet = [{ objectName = "^muted$", action = "halt" }]\n'),
    ].join('');
    world.server.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: { team: 'shop' } } });
    await using running = await world.run({ config: text });
    for (const name of ['web', 'old', 'muted', 'api']) world.server.create(deployment(name, 'nginx:1', 1));
    world.server.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'cart', namespace: 'shop' } });
    await until('all are told of', () => running.entries().length === 4);
    await running.app.idle();

    const ends = (await running.app.store.balances()).map(({ chain, completed, halted }) => [
      chain,
      { completed, halted },
    ]);
    assert.deepEqual(Object.fromEntries(ends), {
      default: { completed: 5, halted: 0 },
      'default/web and db': { completed: 1, halted: 4 },
      'default/shop team': { completed: 1, halted: 4 },
      'default/the rest': { completed: 2, halted: 3 },
    });
    const keys = new Set(running.entries().map(({ key }) => key));
    assert.deepEqual(keys, new Set(['default/api', 'default/old', 'default/web', 'shop/cart']));
  });

  test('with otherwise, a condition that fails stops only what no other branch takes', async () => {
    const endless = '{% for n in (1..1000) %}{% for m in (1..1000) %}{% endfor %}{% endfor %}';
    const branch = (name: string, test: string) =>
      `[[branch]]\nname = "${name}"\n[[branch.handler]]\nname = "match"\n${test}\n[[branch.handler]]\nname = "log"\n`;
    await using world = await World.start();
    const text = [
      'retry = { retries = 0 }\n[[resource]]\nkind = "configmap"\n',
      branch('failing', `when = "${endless}"`),
      branch('web', 'objectName = "^web$"'),
      '[[branch]]\nname = "the rest"\notherwise = true\n[[branch.handler]]\nname = "log"\n',
    ].join('');
    await using running = await world.run({ config: text });
    for (const name of ['web', 'api'])
      world.server.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop' } });
    const balances = () => running.app.store.balances();
    const hasEnded = ({ accepted, pending }: { readonly accepted: number; readonly pending: number }) =>
      accepted === 2 && pending === 0;
    await until('all have ended', async () => (await balances()).filter(hasEnded).length === 4);
    const ends = (await balances()).map(({ chain, completed, halted, dead }) => [chain, { completed, halted, dead }]);
    assert.deepEqual(Object.fromEntries(ends), {
      default: { completed: 2, halted: 0, dead: 0 },
      'default/failing': { completed: 0, halted: 0, dead: 2 },
      'default/web': { completed: 1, halted: 1, dead: 0 },
      'default/the rest': { completed: 0, halted: 1, dead: 1 },
    });
  });
});
