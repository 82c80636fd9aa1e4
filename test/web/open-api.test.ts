/** Compares the responses with their description in /openapi.json. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { World } from '../e2e/world.ts';
import { until } from '../until.ts';
import { tellStory, withoutTeam } from './story.ts';

interface Operation {
  readonly responses: {
    readonly '200'?: { readonly content: { readonly 'application/json': { readonly schema: object } } };
  };
}

interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const POD = 'search-5d4f8c7b9-tt4wp';

/** Forbids members that the schema does not name, so that undescribed ones fail the test. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, strict(value)]));
  return 'properties' in inner && !('additionalProperties' in inner)
    ? { ...inner, additionalProperties: false }
    : inner;
}

test('every JSON answer matches its schema in /openapi.json, without further members', async () => {
  await using world = await World.start(withoutTeam);
  await using running = await tellStory(world);
  await running.app.idle();
  world.server.create({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'pulled', namespace: 'shop' },
    involvedObject: {
      kind: 'Pod',
      namespace: 'shop',
      name: POD,
      uid: world.server.get('Pod', POD, 'shop')?.metadata.uid,
    },
    reason: 'Failed',
    message: 'no such image',
    lastTimestamp: '2026-11-20T10:01:00Z',
  });
  const url = `http://${running.app.listening}`;
  const get = async <T>(path: string) => (await (await fetch(url + path)).json()) as T;
  await until('all alerts', async () => (await get<{ alerts: unknown[] }>('/api/alerts')).alerts.length === 5);
  const { alerts } = await get<{ alerts: { id: string }[] }>('/api/alerts');
  const { deadLetters } = await get<{ deadLetters: { id: number }[] }>('/api/dead-letters');
  assert.ok(deadLetters.length > 0);
  const ids: Readonly<Record<string, readonly (string | number | undefined)[]>> = {
    '/api/alerts/ack': [alerts[0]?.id],
    '/api/dead-letters/replay': [deadLetters[0]?.id],
    '/api/dead-letters/discard': [deadLetters.at(-1)?.id],
  };
  const { paths } = await get<Described>('/openapi.json');
  let compared = 0;
  // Reads come first.
  for (const method of ['get', 'post'])
    for (const [path, operations] of Object.entries(paths)) {
      const schema = operations[method]?.responses['200']?.content['application/json'].schema;
      if (schema === undefined) continue;
      const headers = { 'content-type': 'application/json', 'x-watchchain': 'test' };
      const place = path.replace('{namespace}', 'shop').replace('{pod}', POD);
      const post = { method: 'POST', headers, body: JSON.stringify({ ids: ids[path] }) };
      const answer = await fetch(url + place, method === 'post' ? post : {});
      const text = await answer.text();
      assert.equal(answer.status, 200, `${method} ${path}: ${text}`);
      const { error } = z
        .fromJSONSchema(strict(schema) as Parameters<typeof z.fromJSONSchema>[0])
        .safeParse(JSON.parse(text));
      assert.equal(error, undefined, `${method} ${path}: ${JSON.stringify(error?.issues.slice(0, 3))}`);
      compared++;
    }
  assert.equal(compared, 13);
});
