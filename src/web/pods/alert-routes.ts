/** Alerts about pods, unread or not, and marking them as read. */
import type { ServerResponse } from 'node:http';
import type { Context } from 'hono';
import { z } from 'zod';
import type { Clock } from '../../clock.ts';
import { toError } from '../../errors.ts';
import { firstProblem } from '../problems.ts';
import { responseSchemas } from '../response-schemas.ts';
import type { Route } from '../route.ts';
import type { PodQueries } from './pod-queries.ts';

const MAX_IDS = 1_000;
const ids = z.strictObject({ ids: z.array(z.string().min(1).max(400)).min(1).max(MAX_IDS) });

interface AlertParts {
  readonly pods: PodQueries;
  readonly clock: Clock;
  /** Reading marks alerts as read. */
  readonly resetOnRead: boolean;
}

export function alertRoutes({ pods, clock, resetOnRead }: AlertParts): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/pod-restart-alerts',
      access: 'read',
      summary: resetOnRead
        ? 'Unread alerts, in the form of pod-watcher. Reading marks them as read; `peek` does not.'
        : 'Unread alerts, in the form of pod-watcher. They stay unread: see `POST /api/alerts/ack`.',
      query: { peek: { type: 'string', description: 'Any value: nothing is marked as read.' } },
      responseSchema: responseSchemas.unread,
      handle: (c) => (resetOnRead && !isPeek(c) ? readAndAcknowledge(c, clock, pods) : unread(c, pods)),
    },
    {
      method: 'GET',
      path: '/api/alerts',
      access: 'read',
      summary: 'Current problems of pods, read or not.',
      responseSchema: responseSchemas.alerts,
      handle: async (c) => c.json({ alerts: await pods.problems() }),
    },
    {
      method: 'POST',
      path: '/api/alerts/ack',
      access: 'write',
      summary: 'Marks alerts as read, by their `id`.',
      body: z.toJSONSchema(ids),
      responseSchema: responseSchemas.alertIds,
      handle: (c) => acknowledge(c, pods),
    },
  ];
}

async function acknowledge(c: Context, pods: PodQueries): Promise<Response> {
  const parsed = ids.safeParse(await c.req.json().catch(() => undefined));
  if (!parsed.success) return c.json({ error: firstProblem(parsed.error) }, 400);
  return c.json({ ids: await pods.acknowledge(parsed.data.ids) });
}

/** Whether alerts are not to be marked as read. HEAD has no body that could have been read. */
function isPeek(c: Context): boolean {
  return c.req.method === 'HEAD' || c.req.query('peek') !== undefined;
}

async function unread(c: Context, pods: PodQueries): Promise<Response> {
  return c.json(await pods.withEvents(await pods.unread()));
}

/** Marks the alerts as read once they are sent; the next reader waits for that, so that none is sent twice or lost on the way. */
async function readAndAcknowledge(c: Context, clock: Clock, pods: PodQueries): Promise<Response> {
  const turn = await pods.turn();
  try {
    const alerts = await pods.unread();
    const body = await pods.withEvents(alerts);
    onceSent(c, clock, (sent) => turn.end(sent ? alerts.map(({ id }) => id) : []));
    return c.json(body);
  } catch (thrown) {
    turn.end([]);
    throw toError(thrown);
  }
}

/** A client that takes longer for so few bytes is gone. */
const TAKES_MS = 10_000;

/** Calls back once, with whether the whole response was sent. */
function onceSent(c: Context, clock: Clock, done: (sent: boolean) => void): void {
  const { outgoing } = c.env as { readonly outgoing?: ServerResponse };
  if (outgoing === undefined || outgoing.destroyed) return done(outgoing === undefined);
  let isOver = false;
  const end = (sent: boolean) => {
    if (isOver) return;
    isOver = true;
    cancel();
    done(sent);
  };
  const cancel = clock.after(TAKES_MS, () => end(false));
  outgoing.once('finish', () => end(true)).once('close', () => end(false));
}
