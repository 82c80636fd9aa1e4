/** Pods, their alerts and their Events, only of what is watched. */
import type { ServerResponse } from 'node:http';
import type { Context } from 'hono';
import { z } from 'zod';
import type { Clock } from '../../clock.ts';
import { toError } from '../../errors.ts';
import { uidInEvents } from '../../enrich/involved.ts';
import type { Store } from '../../store/store.ts';
import { answers } from '../answers.ts';
import { firstProblem } from '../change-routes.ts';
import type { Outlook } from '../outlook.ts';
import type { Route, RouteParts } from '../route.ts';
import { eventsOf } from './events.ts';
import type { PodDesk } from './pod-desk.ts';
import { isWatched, podNamed, podsIn } from './pod-store.ts';
import { withLocalTime } from './shapes.ts';

const MAX_IDS = 1_000;
const ids = z.strictObject({ ids: z.array(z.string().min(1).max(400)).min(1).max(MAX_IDS) });
/** A namespace or a pod. */
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

export function podRoutes({ outlook, settings }: RouteParts, desk: PodDesk): readonly Route[] {
  const { resetOnRead } = settings.podWatcher;
  const get = (path: string, summary: string, answered: object, answer: Route['answer']): Route => ({
    method: 'GET',
    path,
    access: 'read',
    summary,
    answers: answered,
    answer,
  });
  const inNamespace = (answer: (c: Context, store: Store, place: Place) => Response | Promise<Response>) => {
    return (c: Context) => {
      const place = placeOf(c);
      const store = outlook.store();
      if (place === undefined) return c.json({ error: 'this is not the name of a namespace or pod' }, 400);
      if (store === undefined || !isWatched(outlook.health(), place.namespace))
        return c.json({ error: `pods of namespace ${place.namespace} are not watched` }, 404);
      return answer(c, store, place);
    };
  };
  return [
    get('/status', 'Every container of every watched pod, in the form of pod-watcher.', answers.status, async (c) =>
      c.json(await desk.status()),
    ),
    {
      ...get(
        '/pod-restart-alerts',
        resetOnRead
          ? 'Unread alerts, in the form of pod-watcher. Reading marks them as read; `peek` does not.'
          : 'Unread alerts, in the form of pod-watcher. They stay unread: see `POST /api/alerts/ack`.',
        answers.unread,
        (c) => (resetOnRead && !isPeek(c) ? take(c, outlook.clock, desk) : alerts(c, desk)),
      ),
      query: { peek: { type: 'string', description: 'Any value: nothing is marked as read.' } },
    },
    get('/api/alerts', 'Current problems of pods, read or not.', answers.alerts, async (c) =>
      c.json({ alerts: await desk.problems() }),
    ),
    {
      method: 'POST',
      path: '/api/alerts/ack',
      access: 'write',
      summary: 'Marks alerts as read, by their `id`.',
      body: z.toJSONSchema(ids),
      answers: answers.alertIds,
      answer: async (c) => {
        const parsed = ids.safeParse(await c.req.json().catch(() => undefined));
        return parsed.success
          ? c.json({ ids: await desk.acknowledge(parsed.data.ids) })
          : c.json({ error: firstProblem(parsed.error) }, 400);
      },
    },
    ...['/events/:namespace', '/events/:namespace/:pod'].map((path) =>
      get(
        path,
        'Events of a watched namespace, or of one pod in it, oldest first.',
        answers.events,
        inNamespace((c, store, place) => events(c, store, place, outlook, desk)),
      ),
    ),
    get(
      '/pods/:namespace',
      'The watched pods of a namespace as a PodList, secrets hidden.',
      answers.podList,
      inNamespace(podList),
    ),
    get(
      '/pods/:namespace/:pod',
      'One pod, or none, as an array.',
      answers.pods,
      inNamespace(async (c, store, { namespace, pod = '' }) => {
        const found = await podNamed(store, namespace, pod);
        return c.json(found === undefined ? [] : [found]);
      }),
    ),
  ];
}

interface Place {
  readonly namespace: string;
  readonly pod: string | undefined;
}

function placeOf(c: Context): Place | undefined {
  const namespace = c.req.param('namespace') ?? '';
  const pod = c.req.param('pod');
  return NAME.test(namespace) && (pod === undefined || NAME.test(pod)) ? { namespace, pod } : undefined;
}

async function podList(c: Context, store: Store, { namespace }: Place): Promise<Response> {
  const items: object[] = [];
  for await (const pod of podsIn(store, namespace)) items.push(pod);
  return c.json({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items });
}

async function events(c: Context, store: Store, place: Place, outlook: Outlook, desk: PodDesk): Promise<Response> {
  const pod = place.pod === undefined ? undefined : await podNamed(store, place.namespace, place.pod);
  const uid = uidInEvents(pod?.metadata);
  const answer = await eventsOf(outlook.api(), { ...place, uid }, outlook.config().redact);
  if ('problem' in answer) return c.json({ error: `cannot list the Events: ${answer.problem}` }, 502);
  return c.json(answer.events.map((event) => withLocalTime(event, desk.local)));
}

/** Whether alerts are not to be marked as read. HEAD has no body that could have been read. */
function isPeek(c: Context): boolean {
  return c.req.method === 'HEAD' || c.req.query('peek') !== undefined;
}

async function alerts(c: Context, desk: PodDesk): Promise<Response> {
  return c.json(await desk.withEvents(await desk.unread()));
}

/** Marks the alerts as read once they are sent; the next reader waits for that, so that none is sent twice or lost on the way. */
async function take(c: Context, clock: Clock, desk: PodDesk): Promise<Response> {
  const turn = await desk.turn();
  try {
    const unread = await desk.unread();
    const answer = await desk.withEvents(unread);
    whenGone(c, clock, (sent) => turn.end(sent ? unread.map(({ id }) => id) : []));
    return c.json(answer);
  } catch (thrown) {
    turn.end([]);
    throw toError(thrown);
  }
}

/** A client that takes longer for so few bytes is gone. */
const TAKES_MS = 10_000;

/** Calls back once, with whether the whole response was sent. */
function whenGone(c: Context, clock: Clock, done: (sent: boolean) => void): void {
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
