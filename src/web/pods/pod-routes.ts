/** Pods and their Events, only of what is watched. */
import type { Context } from 'hono';
import { uidInEvents } from '../../enrich/involved.ts';
import type { Store } from '../../store/store.ts';
import { responseSchemas } from '../response-schemas.ts';
import type { Route } from '../route.ts';
import type { ServiceView } from '../service-view.ts';
import { fetchEvents } from './events.ts';
import type { PodQueries } from './pod-queries.ts';
import { isWatched, podNamed, podsIn } from './pod-store.ts';
import { withLocalTime } from './shapes.ts';

/** A namespace or a pod. */
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

interface PodParts {
  readonly service: ServiceView;
  readonly pods: PodQueries;
}

export function podRoutes(parts: PodParts): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/status',
      access: 'read',
      summary: 'Every container of every watched pod, in the form of pod-watcher.',
      responseSchema: responseSchemas.status,
      handle: async (c) => c.json(await parts.pods.status()),
    },
    ...['/events/:namespace', '/events/:namespace/:pod'].map((path): Route => ({
      method: 'GET',
      path,
      access: 'read',
      summary: 'Events of a watched namespace, or of one pod in it, oldest first.',
      responseSchema: responseSchemas.events,
      handle: (c) => inNamespace(c, parts, (store, podPath) => events(c, store, podPath, parts)),
    })),
    {
      method: 'GET',
      path: '/pods/:namespace',
      access: 'read',
      summary: 'The watched pods of a namespace as a PodList, secrets hidden.',
      responseSchema: responseSchemas.podList,
      handle: (c) => inNamespace(c, parts, (store, podPath) => podList(c, store, podPath)),
    },
    {
      method: 'GET',
      path: '/pods/:namespace/:pod',
      access: 'read',
      summary: 'One pod, or none, as an array.',
      responseSchema: responseSchemas.pods,
      handle: (c) =>
        inNamespace(c, parts, async (store, { namespace, pod = '' }) => {
          const found = await podNamed(store, namespace, pod);
          return c.json(found === undefined ? [] : [found]);
        }),
    },
  ];
}

/** The answer, unless the path names no namespace or one without watched pods. */
async function inNamespace(
  c: Context,
  { service }: PodParts,
  answer: (store: Store, podPath: PodPath) => Promise<Response>,
): Promise<Response> {
  const podPath = podPathOf(c);
  const store = service.store();
  if (podPath === undefined) return c.json({ error: 'this is not the name of a namespace or pod' }, 400);
  if (store === undefined || !isWatched(service.health(), podPath.namespace))
    return c.json({ error: `pods of namespace ${podPath.namespace} are not watched` }, 404);
  return answer(store, podPath);
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

async function events(c: Context, store: Store, podPath: PodPath, { service, pods }: PodParts): Promise<Response> {
  const pod = podPath.pod === undefined ? undefined : await podNamed(store, podPath.namespace, podPath.pod);
  const uid = uidInEvents(pod?.metadata);
  const result = await fetchEvents(service.api(), { ...podPath, uid }, service.config().redact);
  if ('problem' in result) return c.json({ error: `cannot list the Events: ${result.problem}` }, 502);
  return c.json(result.events.map((event) => withLocalTime(event, pods.local)));
}
