/** Changes that were given up: seen, sent again, forgotten. */
import type { Context } from 'hono';
import { z } from 'zod';
import type { DeadLetter } from '../store/store.ts';
import { answers } from './answers.ts';
import { firstProblem } from './change-routes.ts';
import { shown } from './changes.ts';
import type { Outlook } from './outlook.ts';
import type { Route, RouteParts } from './route.ts';

/** Of one request. */
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
      answer: async (c) => c.json({ deadLetters: (await deadLetters(outlook)).map(documentOfLetter) }),
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

/** The oldest of them. */
export async function deadLetters(outlook: Outlook): Promise<readonly DeadLetter[]> {
  return (await outlook.store()?.deadLetters({ limit: MAX_LETTERS })) ?? [];
}

function documentOfLetter({ change, diedAt, ...letter }: DeadLetter): object {
  return { ...letter, diedAt: new Date(diedAt).toISOString(), change: shown(change) };
}

async function tend(c: Context, verb: 'replay' | 'discard', outlook: Outlook): Promise<Response> {
  const store = outlook.store();
  if (store === undefined) return c.json({ error: 'the service is not running yet' }, 503);
  const parsed = ids.safeParse(await c.req.json().catch(() => undefined));
  if (!parsed.success) return c.json({ error: firstProblem(parsed.error) }, 400);
  const done = verb === 'replay' ? await store.replay(parsed.data.ids) : await store.discard(parsed.data.ids);
  outlook.log.info('Dead letters were tended from the page', { verb, ids: done });
  return c.json({ ids: done });
}
