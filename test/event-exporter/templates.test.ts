/** kubernetes-event-exporter's acceptance list, 22 to 28: layouts and templates. Single ones: translate.test.ts. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { World } from '../e2e/world.ts';
import { bodies, pod, podEvent, problemsOf, run, SEED_EVENT, toHook } from './exporter.ts';

const TIME = '2026-11-20T23:56:58Z';
const EVENT = podEvent({
  reason: 'ClusterIsUpdating',
  type: 'Normal',
  message: 'm "q" <x>',
  count: 3,
  firstTimestamp: TIME,
  lastTimestamp: TIME,
});

/** The body sent with a layout for an Event about a pod with the label `version: dev`. */
async function sent(layout: string, event: object = EVENT): Promise<string> {
  await using world = await World.start();
  const more = 'maxEventAgeSeconds: 1000000000\n';
  await using running = await run(world, toHook(world.slack.url, { layout: `      layout:\n${layout}`, more }));
  world.server.create(pod('web', { labels: { version: 'dev' } }));
  world.server.create(event);
  await world.slack.waitFor(1);
  await running.app.idle();
  return world.slack.requests[0]?.body ?? '';
}

const line = (text: string) => `        ${text}\n`;

describe("event-exporter's layouts", () => {
  test('22 every value renders as before, except that numbers and booleans keep their type', async () => {
    const values: readonly (readonly [yaml: string, json: unknown])[] = [
      ['5', 5],
      ['1.5', 1.5],
      ['true', true],
      ['""', ''],
      ['"{{ .Count }}"', '3'],
      [
        '[1, "a {{ .Reason }}", [x, {k: "{{ .Type }}"}], {d: {e: 3}}]',
        [1, 'a ClusterIsUpdating', ['x', { k: 'Normal' }], { d: { e: 3 } }],
      ],
      ['"{{ .InvolvedObject.Labels.nokey }}"', '<no value>'],
      [`'{{ index .InvolvedObject.Labels "nokey" }}'`, ''],
      ['"{{ toJson .InvolvedObject.Labels }}"', '{"version":"dev"}'],
      ['"{{ .LastTimestamp }}"', '2026-11-20 23:56:58 +0000 UTC'],
      ['"{{ .EventTime }}"', '0001-01-01 00:00:00 +0000 UTC'],
      ['"{{ .GetTimestampMs }}"', '1795219018000'],
      ['"{{ .GetTimestampISO8601 }}"', '2026-11-20T23:56:58.000Z'],
      ["'{{ .Reason | upper | trunc 4 | quote }}'", '"CLUS"'],
      ['"<a&b>"', '<a&b>'],
      ['"{{ toRawJson .Message }}"', '"m \\"q\\" <x>"'],
      ['|\n          block\n', 'block\n'],
    ];
    const layout = values.map(([yaml], n) => line(`v${String(n).padStart(2, '0')}: ${yaml}`)).join('');
    const found = Object.values(JSON.parse(await sent(layout)) as object) as unknown[];
    assert.deepEqual(
      found,
      values.map(([, json]) => json),
    );
  });

  test('22 null is left out; an empty layout is an empty object; one without a value is the whole Event', async () => {
    assert.equal(await sent(line('a: null') + line('b: x')), '{"b":"x"}');
    assert.equal(await sent('').then((body) => Object.keys(JSON.parse(body) as object).includes('clusterName')), true);
    await using world = await World.start();
    await using running = await run(world, toHook(world.slack.url, { layout: '      layout: {}\n' }));
    world.server.create(podEvent());
    await world.slack.waitFor(1);
    await running.app.idle();
    assert.equal(world.slack.requests[0]?.body, '{}');
  });

  test('23 JSON field names are refused, with the path, the line and the name that is meant', async () => {
    const layout = `      layout:\n        kind: "{{ .involvedObject.kind }}"\n        name: "{{ .metadata.name }}"\n`;
    const problems = await problemsOf(toHook('http://r.example', { layout }));
    assert.match(
      problems[0] ?? '',
      /^config\.yaml:7: receivers\[0\]\.webhook\.layout\.kind: .*no field \.involvedObject.*did you mean "InvolvedObject"/,
    );
    assert.match(problems[1] ?? '', /^config\.yaml:8: .*no field \.metadata in an Event; its fields are /);
  });

  test('24 env, expandenv and getHostByName are refused: a template reads neither the environment nor the network', async () => {
    const layout = `      layout: { a: '{{ env "HOME" }}', b: '{{ expandenv "$$HOME" }}', c: '{{ getHostByName "x" }}' }\n`;
    const problems = await problemsOf(toHook('http://r.example', { layout }));
    assert.equal(problems.length, 3);
    assert.match(problems.join(), /the function env is not available.*the function expandenv is not available/);
    assert.match(problems.join(), /getHostByName is not available: a template cannot ask a name server/);
  });

  test('25 a missing map key is "<no value>" by a dot and empty by index; a missing source is empty', async () => {
    const layout =
      line('dot: "{{ .Annotations.nokey }}"') +
      line(`index: '{{ index .Annotations "nokey" }}'`) +
      line('source: "{{ .Source.Component }}"');
    assert.deepEqual(JSON.parse(await sent(layout, SEED_EVENT)), { dot: '<no value>', index: '', source: '' });
  });

  test('26 keys are sent in byte order', async () => {
    assert.equal(
      await sent(line('b: "1"') + line('a: { z: "1", B: "2" }') + line('B: "3"')),
      '{"B":"3","a":{"B":"2","z":"1"},"b":"1"}',
    );
  });

  test('27 deDot: in a file and on stdout, labels and annotations of the Event and of its object', async () => {
    await using world = await World.start();
    const file = world.workdir.file('events.json');
    const config = `route: { match: [{ receiver: file }, { receiver: stdout }] }
receivers:
  - { name: file, file: { path: "${file}", deDot: true } }
  - name: stdout
    stdout: { deDot: true, layout: { v: '{{ index .InvolvedObject.Labels "app_io/name" }}', w: '{{ .Message }}' } }
`;
    await using running = await run(world, config);
    world.server.create(pod('web', { labels: { 'app.io/name': 'web' }, annotations: { 'a.b': 'x.y' } }));
    const event = podEvent({ message: 'a.b' }) as { readonly metadata: object };
    world.server.create({ ...event, metadata: { ...event.metadata, annotations: { 'c.d': 'e' } } });
    for (; running.entries().length === 0;) await running.app.idle();
    await running.app.idle();
    assert.deepEqual(running.entries(), [{ v: 'web', w: 'a.b' }]);
    const whole = JSON.parse(await readFile(file, 'utf8')) as Record<string, Record<string, unknown>>;
    assert.deepEqual(whole['involvedObject']?.['labels'], { 'app_io/name': 'web' });
    assert.deepEqual(whole['involvedObject']?.['annotations'], { a_b: 'x.y' });
    assert.deepEqual(whole['metadata']?.['annotations'], { c_d: 'e' });
    assert.equal(whole['message'], 'a.b');
    assert.deepEqual(world.server.get('Pod', 'web')?.metadata.labels, { 'app.io/name': 'web' });
  });

  test('28 our own layouts send numbers and objects, and leave out absent values', async () => {
    await using world = await World.start();
    const config =
      `[[resource]]\nkind = "event"\n[[handler]]\nname = "webhook"\nurl = "${world.slack.url}"\n[handler.layout]\ncount = "{{ change.object.count }}"\nlabels = "{{ involved.labels }}"\nhost = "{{ event.nothing }}"\n`.replace(
        'event.nothing',
        'event.action',
      );
    await using running = await world.run({ config });
    world.server.create(pod('web', { labels: { version: 'dev' } }));
    world.server.create(EVENT);
    await world.slack.waitFor(1);
    await running.app.idle();
    assert.deepEqual(bodies(world), [{ count: 3, labels: { version: 'dev' } }]);
  });
});
