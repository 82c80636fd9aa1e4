/** Dead letters: list, replay, discard. */
import type { Context } from 'hono';
import { z } from 'zod';
import type { Config } from '../config/config.ts';
import { removedIn } from '../config/in-chains.ts';
import type { DeadLetter } from '../store/looking-back.ts';
import type { Store } from '../store/store.ts';
import { responseSchemas } from './response-schemas.ts';
import { firstProblem, notRunning } from './problems.ts';
import { PAGE_SIZE, toShownChange } from './changes.ts';
import type { ServiceView } from './service-view.ts';
import type { Route, RouteParts } from './route.ts';
import { mapYielding } from './map-yielding.ts';

/** Ids in one request. */
const MAX_IDS = 1_000;
const ids = z.strictObject({ ids: z.array(z.int().positive()).min(1).max(MAX_IDS) });
const MAX_LETTERS = 100;

export function deadLetterRoutes({ service }: Pick<RouteParts, 'service'>): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/dead-letters',
      access: 'read',
      summary: `Changes whose attempts are spent, oldest first, up to ${MAX_LETTERS}.`,
      responseSchema: responseSchemas.deadLetters,
      handle: (c) => list(c, service),
    },
    ...(['replay', 'discard'] as const).map((verb): Route => ({
      method: 'POST',
      path: `/api/dead-letters/${verb}`,
      access: 'write',
      summary: verb === 'replay' ? 'Sends dead letters through their chain again.' : 'Forgets dead letters for good.',
      body: z.toJSONSchema(ids),
      responseSchema: responseSchemas.letterIds,
      handle: (c) => replayOrDiscard(c, verb, service),
    })),
  ];
}

/** The oldest dead letters, as shown. Lets other work run in between. */
export async function deadLetters<T>(service: ServiceView, render: (letter: DeadLetter) => T): Promise<readonly T[]> {
  const store = service.store();
  const letters: T[] = [];
  let page: readonly DeadLetter[];
  let afterId = 0;
  do {
    page = (await store?.deadLetters({ afterId, limit: PAGE_SIZE })) ?? [];
    letters.push(...(await mapYielding(page, render)));
    afterId = page.at(-1)?.id ?? afterId;
  } while (page.length === PAGE_SIZE && letters.length < MAX_LETTERS);
  return letters;
}

function documentOfLetter({ change, diedAt, ...letter }: DeadLetter): object {
  return { ...letter, diedAt: new Date(diedAt).toISOString(), change: toShownChange(change) };
}

async function list(c: Context, service: ServiceView): Promise<Response> {
  if (service.store() === undefined) return notRunning(c);
  return c.json({ deadLetters: await deadLetters(service, documentOfLetter) });
}

async function replayOrDiscard(c: Context, verb: 'replay' | 'discard', service: ServiceView): Promise<Response> {
  const store = service.store();
  if (store === undefined) return notRunning(c);
  const parsed = ids.safeParse(await c.req.json().catch(() => undefined));
  if (!parsed.success) return c.json({ error: firstProblem(parsed.error) }, 400);
  const obstacle = verb === 'replay' ? await findObstacle(parsed.data.ids, store, service.config()) : undefined;
  if (obstacle !== undefined) return c.json({ error: obstacle }, 409);
  const done = verb === 'replay' ? await store.replay(parsed.data.ids) : await store.discard(parsed.data.ids);
  service.log.info('Dead letters were replayed or discarded from the page', { verb, ids: done });
  return c.json({ ids: done });
}

/** Why none of them is replayed, by the same rule as in `watchchain dead replay`. */
async function findObstacle(letterIds: readonly number[], store: Store, config: Config): Promise<string | undefined> {
  for (const id of letterIds) {
    const letter = await store.deadLetterOf(id);
    const gone = letter === undefined ? undefined : removedIn(config.chains, letter);
    if (gone === undefined) continue;
    return `Cannot replay ${id}: the configuration has no ${gone.what} any more; restore it, or discard`;
  }
  return undefined;
}
