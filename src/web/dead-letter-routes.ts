/** Dead letters: list, replay, discard. */
import type { Context } from 'hono';
import { z } from 'zod';
import type { Config } from '../config/config.ts';
import { removedIn } from '../config/in-chains.ts';
import type { DeadLetter, Store } from '../store/store.ts';
import { answers } from './answers.ts';
import { firstProblem, notRunning } from './change-routes.ts';
import { READ_AT_ONCE, shown } from './changes.ts';
import type { Outlook } from './outlook.ts';
import type { Route, RouteParts } from './route.ts';
import { inTurns } from './turns.ts';

/** In one request. */
const MAX_IDS = 1_000;
const ids = z.strictObject({ ids: z.array(z.int().positive()).min(1).max(MAX_IDS) });
const MAX_LETTERS = 100;

export function deadLetterRoutes({ outlook }: Pick<RouteParts, 'outlook'>): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/api/dead-letters',
      access: 'read',
      summary: `Changes whose attempts are spent, oldest first, up to ${MAX_LETTERS}.`,
      answers: answers.deadLetters,
      answer: (c) => list(c, outlook),
    },
    ...(['replay', 'discard'] as const).map((verb): Route => ({
      method: 'POST',
      path: `/api/dead-letters/${verb}`,
      access: 'write',
      summary: verb === 'replay' ? 'Sends dead letters through their chain again.' : 'Forgets dead letters for good.',
      body: z.toJSONSchema(ids),
      answers: answers.letterIds,
      answer: (c) => tend(c, verb, outlook),
    })),
  ];
}

/** The oldest dead letters, as shown. Lets other work run in between. */
export async function deadLetters<T>(outlook: Outlook, shownAs: (letter: DeadLetter) => T): Promise<readonly T[]> {
  const store = outlook.store();
  const letters: T[] = [];
  let page: readonly DeadLetter[];
  let afterId = 0;
  do {
    page = (await store?.deadLetters({ afterId, limit: READ_AT_ONCE })) ?? [];
    letters.push(...(await inTurns(page, shownAs)));
    afterId = page.at(-1)?.id ?? afterId;
  } while (page.length === READ_AT_ONCE && letters.length < MAX_LETTERS);
  return letters;
}

function documentOfLetter({ change, diedAt, ...letter }: DeadLetter): object {
  return { ...letter, diedAt: new Date(diedAt).toISOString(), change: shown(change) };
}

async function list(c: Context, outlook: Outlook): Promise<Response> {
  if (outlook.store() === undefined) return notRunning(c);
  return c.json({ deadLetters: await deadLetters(outlook, documentOfLetter) });
}

async function tend(c: Context, verb: 'replay' | 'discard', outlook: Outlook): Promise<Response> {
  const store = outlook.store();
  if (store === undefined) return notRunning(c);
  const parsed = ids.safeParse(await c.req.json().catch(() => undefined));
  if (!parsed.success) return c.json({ error: firstProblem(parsed.error) }, 400);
  const obstacle = verb === 'replay' ? await obstacleTo(parsed.data.ids, store, outlook.config()) : undefined;
  if (obstacle !== undefined) return c.json({ error: obstacle }, 409);
  const done = verb === 'replay' ? await store.replay(parsed.data.ids) : await store.discard(parsed.data.ids);
  outlook.log.info('Dead letters were replayed or discarded from the page', { verb, ids: done });
  return c.json({ ids: done });
}

/** Why none of them is replayed, by the same rule as in `watchchain dead replay`. */
async function obstacleTo(asked: readonly number[], store: Store, config: Config): Promise<string | undefined> {
  for (const id of asked) {
    const letter = await store.deadLetterOf(id);
    const gone = letter === undefined ? undefined : removedIn(config.chains, letter);
    if (letter === undefined || gone === undefined) continue;
    const what = gone === 'chain' ? `chain "${letter.chain}"` : `handler ${letter.handler}`;
    return `Cannot replay ${id}: the configuration has no ${what} any more; bring it back, or discard`;
  }
  return undefined;
}
