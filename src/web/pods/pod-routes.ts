/** Pods, their alerts and their Events, only of what is watched. */
import type { ServerResponse } from 'node:http';
import type { Context } from 'hono';
import { z } from 'zod';
import type { Clock } from '../../clock.ts';
import { toError } from '../../errors.ts';
import { uidInEvents } from '../../enrich/involved.ts';
import type { Store } from '../../store/store.ts';
import { responseSchemas } from '../response-schemas.ts';
import { firstProblem } from '../change-routes.ts';
import type { ServiceView } from '../service-view.ts';
import type { Route, RouteParts } from '../route.ts';
import { fetchEvents } from './events.ts';
import type { PodQueries } from './pod-queries.ts';
import { isWatched, podNamed, podsIn } from './pod-store.ts';
import { withLocalTime } from './shapes.ts';

const MAX_IDS = 1_000;
const ids = z.strictObject({ ids: z.array(z.string().min(1).max(400)).min(1).max(MAX_IDS) });
/** A namespace or a pod. */
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

export function podRoutes({ service, settings }: RouteParts, podQueries: PodQueries): readonly Route[] {
  const { resetOnRead } = settings.podWatcher;
  const get = (path: string, summary: string, answered: object, handle: Route['handle']): Route => ({
    method: 'GET',
    path,
    access: 'read',
    summary,
    responseSchema: answered,
    handle,
  });
  const inNamespace = (answer: (c: Context, store: Store, podPath: PodPath) => Response | Promise<Response>) => {
    return (c: Context) => {
      const podPath = podPathOf(c);
      const store = service.store();
      if (podPath === undefined) return c.json({ error: 'this is not the name of a namespace or pod' }, 400);
      if (store === undefined || !isWatched(service.health(), podPath.namespace))
        return c.json({ error: `pods of namespace ${podPath.namespace} are not watched` }, 404);
      return answer(c, store, podPath);
    };
  };
  return [
    get(
      '/status',
      'Every container of every watched pod, in the form of pod-watcher.',
      responseSchemas.status,
      async (c) => c.json(await podQueries.status()),
    ),
    {
      ...get(
        '/pod-restart-alerts',
        resetOnRead
          ? 'Unread alerts, in the form of pod-watcher. Reading marks them as read; `peek` does not.'
          : 'Unread alerts, in the form of pod-watcher. They stay unread: see `POST /api/alerts/ack`.',
        responseSchemas.unread,
        (c) => (resetOnRead && !isPeek(c) ? readAndAcknowledge(c, service.clock, podQueries) : alerts(c, podQueries)),
      ),
      query: { peek: { type: 'string', description: 'Any value: nothing is marked as read.' } },
    },
    get('/api/alerts', 'Current problems of pods, read or not.', responseSchemas.alerts, async (c) =>
      c.json({ alerts: await podQueries.problems() }),
    ),
    {
      method: 'POST',
      path: '/api/alerts/ack',
      access: 'write',
      summary: 'Marks alerts as read, by their `id`.',
      body: z.toJSONSchema(ids),
      responseSchema: responseSchemas.alertIds,
      handle: async (c) => {
        const parsed = ids.safeParse(await c.req.json().catch(() => undefined));
        return parsed.success
          ? c.json({ ids: await podQueries.acknowledge(parsed.data.ids) })
          : c.json({ error: firstProblem(parsed.error) }, 400);
      },
    },
    ...['/events/:namespace', '/events/:namespace/:pod'].map((path) =>
      get(
        path,
        'Events of a watched namespace, or of one pod in it, oldest first.',
        responseSchemas.events,
        inNamespace((c, store, podPath) => events(c, store, podPath, service, podQueries)),
      ),
    ),
    get(
      '/pods/:namespace',
      'The watched pods of a namespace as a PodList, secrets hidden.',
      responseSchemas.podList,
      inNamespace(podList),
    ),
    get(
      '/pods/:namespace/:pod',
      'One pod, or none, as an array.',
      responseSchemas.pods,
      inNamespace(async (c, store, { namespace, pod = '' }) => {
        const found = await podNamed(store, namespace, pod);
        return c.json(found === undefined ? [] : [found]);
      }),
    ),
  ];
}

interface PodPath {
  readonly namespace: string;
  readonly pod: string | undefined;
}

function podPathOf(c: Context): PodPath | undefined {
  const namespace = c.req.param('namespace') ?? '';
  const pod = c.req.param('pod');
  return NAME.test(namespace) && (pod === undefined || NAME.test(pod)) ? { namespace, pod } : undefined;
}

async function podList(c: Context, store: Store, { namespace }: PodPath): Promise<Response> {
  const items: object[] = [];
  for await (const pod of podsIn(store, namespace)) items.push(pod);
  return c.json({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items });
}

async function events(
  c: Context,
  store: Store,
  podPath: PodPath,
  service: ServiceView,
  podQueries: PodQueries,
): Promise<Response> {
  const pod = podPath.pod === undefined ? undefined : await podNamed(store, podPath.namespace, podPath.pod);
  const uid = uidInEvents(pod?.metadata);
  const result = await fetchEvents(service.api(), { ...podPath, uid }, service.config().redact);
  if ('problem' in result) return c.json({ error: `cannot list the Events: ${result.problem}` }, 502);
  return c.json(result.events.map((event) => withLocalTime(event, podQueries.local)));
}

/** Whether alerts are not to be marked as read. HEAD has no body that could have been read. */
function isPeek(c: Context): boolean {
  return c.req.method === 'HEAD' || c.req.query('peek') !== undefined;
}

async function alerts(c: Context, podQueries: PodQueries): Promise<Response> {
  return c.json(await podQueries.withEvents(await podQueries.unread()));
}

/** Marks the alerts as read once they are sent; the next reader waits for that, so that none is sent twice or lost on the way. */
async function readAndAcknowledge(c: Context, clock: Clock, podQueries: PodQueries): Promise<Response> {
  const turn = await podQueries.turn();
  try {
    const unread = await podQueries.unread();
    const body = await podQueries.withEvents(unread);
    onceSent(c, clock, (sent) => turn.end(sent ? unread.map(({ id }) => id) : []));
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
