import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HandlerContext } from '../../src/chain/handler.ts';
import type { Change } from '../../src/change.ts';
import { changeOf } from '../../src/testing/change.ts';
import { problemsOf, verdictOf } from '../../src/testing/handler.ts';
import { World } from '../../test/e2e/world.ts';
import quiet from '../quiet/index.ts';
import match from './index.ts';

const verdict = async (options: object, change: Change, context: Partial<HandlerContext> = {}): Promise<string> =>
  verdictOf(match, options, change, context);

const deployment = (replicas: number, memory = '1Gi', paused = false) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { replicas, paused, template: { spec: { containers: [{ name: 'web', resources: { limits: { memory } } }] } } },
});
const scaledDown = changeOf({ before: deployment(3), after: deployment(1) });
const scaledUp = changeOf({ before: deployment(1), after: deployment(3) });
const created = changeOf({ after: deployment(1) });

const FEWER = '{{ change.after.spec.replicas < change.before.spec.replicas }}';

describe('when', () => {
  test('compares before with after, and does not hold if one of them is absent', async () => {
    assert.equal(await verdict({ when: FEWER }, scaledDown), 'pass');
    assert.equal(await verdict({ when: FEWER }, scaledUp), 'when does not hold');
    assert.equal(await verdict({ when: FEWER }, created), 'when does not hold');
  });

  test('holds for any output except nothing, blanks and false', async () => {
    for (const when of [
      "{% if change.action == 'updated' %}yes{% endif %}",
      '{{ change.name }}',
      '{{ change.after.spec.replicas | minus: 1 }}',
    ])
      assert.equal(await verdict({ when }, scaledDown), 'pass', when);
    for (const when of [
      "{% if change.action == 'added' %}yes{% endif %}",
      '{{ change.after.metadata.labels.tier }}',
      ' {{ change.after.spec.paused }}\n',
    ])
      assert.equal(await verdict({ when }, scaledDown), 'when does not hold', when);
  });

  test('says one thing or another, and compares quantities', async () => {
    const either = '{{ change.after.spec.paused or change.after.spec.replicas < change.before.spec.replicas }}';
    const paused = changeOf({ before: deployment(1), after: deployment(1, '1Gi', true) });
    assert.equal(await verdict({ when: either }, paused), 'pass');
    assert.equal(await verdict({ when: either }, scaledDown), 'pass');
    assert.equal(await verdict({ when: either }, scaledUp), 'when does not hold');
    const memory = (side: string) =>
      `change.${side}.spec.template.spec.containers[0].resources.limits.memory | quantity`;
    const lessMemory = `{% assign was = ${memory('before')} %}{% assign is = ${memory('after')} %}{{ is < was }}`;
    const shrunk = changeOf({ before: deployment(1, '1Gi'), after: deployment(1, '512Mi') });
    assert.equal(await verdict({ when: lessMemory }, shrunk), 'pass');
    assert.equal(await verdict({ when: lessMemory }, scaledDown), 'when does not hold');
  });

  test('with drop, halts what it holds for', async () => {
    assert.equal(await verdict({ when: FEWER, drop: true }, scaledDown), 'dropped: when holds');
    assert.equal(await verdict({ when: FEWER, drop: true }, scaledUp), 'pass');
  });

  test('that reads `involved` is tested last, any other before the cluster is asked', async () => {
    let asked = 0;
    const web = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web', uid: undefined };
    const facts = { labels: { tier: 'web' }, annotations: {}, ownerReferences: [], deleted: false, known: true };
    const context = {
      involved: () => Promise.resolve((asked++, { ...web, ...facts })),
      topOwner: () => Promise.resolve((asked++, web)),
    };
    const byLabel = '{{ involved.labels.tier == change.name }}';
    assert.equal(
      await verdict({ kind: '^Pod$', when: byLabel }, created, context),
      'kind "Deployment" does not match ^Pod$',
    );
    assert.equal(await verdict({ ownerName: '^web$', when: FEWER }, created, context), 'when does not hold');
    assert.equal(asked, 0);
    assert.equal(await verdict({ ownerName: '^web$', when: byLabel }, created, context), 'pass');
    assert.equal(asked, 2);
    assert.equal(
      await verdict({ when: '{{ involved.topOwner.name == "db" }}' }, created, context),
      'when does not hold',
    );
  });

  test('decides for quiet, too', async () => {
    const options = { action: 'halt', when: FEWER };
    assert.equal(await verdictOf(quiet, options, scaledDown), 'quiet');
    assert.equal(await verdictOf(quiet, options, scaledUp), 'pass');
  });

  test('is refused at the start if it is no template, has a mistake, or reads nothing of the change', () => {
    const problem = (when: string): string => problemsOf(match, { when }).join();
    assert.match(problem('{{ chagne.kind }}'), /^when: must be a Liquid template: unknown name "chagne"; did you mean/);
    assert.match(problem('{% if change.kind %}yes'), /^when: must be a Liquid template: /);
    assert.match(
      problem('change.after.spec.replicas < 3'),
      /^when: must be a template: put the condition between {{ and }}/,
    );
  });
});

test('an Event halted by a free test, or by lasting, costs no lookup for when, and a template that fails makes a dead letter', async () => {
  const event = (name: string, reason: string) => ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace: 'shop' },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name },
    reason,
  });
  await using world = await World.start();
  const chain = (name: string, when: string, reason = '.'): string => `
[[chain]]
name = "${name}"
[[chain.resource]]
kind = "event"
[[chain.handler]]
name = "match"
reason = "${reason}"
when = '${when}'
[[chain.handler]]
name = "slack"
webhookURL = "${world.slack.url}"
messagesPerSecond = 0
`;
  for (const [name, tier] of [
    ['web', 'web'],
    ['db', 'db'],
    ['other', 'web'],
  ] as const)
    world.server.create({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop', labels: { tier } } });
  const tooMuch = '{% for n in (1..100000000) %}{% endfor %}';
  const lasting = `
[[chain]]
name = "lasting"
[[chain.resource]]
kind = "event"
[[chain.handler]]
name = "lasting"
for = "5m"
when = '{{ involved.labels.tier }}'
`;
  const config = [
    chain('web', '{{ involved.labels.tier == "web" }}', '^BackOff$'),
    chain('too much', tooMuch, '^Pulled$'),
    lasting,
  ].join('');
  await using running = await world.run({ config });
  world.server.create(event('web', 'BackOff'));
  world.server.create(event('db', 'BackOff'));
  world.server.create(event('other', 'Pulled'));
  await world.slack.waitFor(1);
  await running.app.idle();
  assert.equal(world.slack.requests.length, 1);
  const lookups = world.server.requests.flatMap(({ path }) => /\/pods\/(\w+)$/.exec(path)?.[1] ?? []);
  assert.deepEqual(lookups.toSorted(), ['db', 'web']);
  const dead = await running.app.store.deadLetters({ limit: 10 });
  assert.deepEqual(
    dead.map(({ handler, attempts }) => [handler, attempts]),
    [['too much/match', 1]],
  );
  assert.match(dead[0]?.error ?? '', /^The template of when failed: processes more text than a template may \(line 1/);
});
