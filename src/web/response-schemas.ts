/** The endpoints' responses, for /openapi.json. Members may be added, never removed. */
import { z } from 'zod';
import { actor as changeActor, changeDocument } from '../plugin/contract.ts';

const time = z.iso.datetime().describe('RFC 3339, UTC.');
const manifest = z.looseObject({ metadata: z.looseObject({}) }).describe('As in Kubernetes, with secrets hidden.');

const actor = z.object({
  ...changeActor.shape,
  paths: z.array(z.string()).describe('The first 20 fields that it changed.'),
});

/** The change as plug-ins get it, without manifests, plus what the page shows. */
const change = z.object({
  ...changeDocument.omit({ before: true, after: true }).shape,
  time,
  by: z.array(actor).describe('Who made the change.'),
  alert: z.looseObject({}).optional().describe('The alert of `podAlerts`: see docs/pods.md.'),
  what: z.string().optional().describe('A short summary; absent when nothing relevant differs.'),
  diff: z.string().optional().describe('Unified diff.'),
  remarks: z.array(z.string()),
});

const entry = z.object({
  alertStatus: z.enum(['None', 'Warning', 'Failure', 'Sent']),
  podName: z.string().describe('Name of the container; empty for the pod itself.'),
  restarts: z.array(time).describe('Those in the window that are unread.'),
  totalRestartCount: z.int(),
  startTime: z.string().describe('`11/20/2026-18:44:27`, in the zone of the configuration.'),
  lastUpdateTime: z.string(),
  state: z.looseObject({}).describe('State of the container, as in Kubernetes.'),
  namespace: z.string(),
  podLongName: z.string().describe('Name of the pod.'),
  currentRestarts: z.int(),
  restartsLocal: z.array(z.string()),
  id: z.string().describe('The id for `POST /api/alerts/ack`.'),
  reason: z.string().nullable(),
  startedAt: time.nullable(),
  updatedAt: time,
});

const event = manifest.extend({ localizedTime: z.string() }).describe('A Kubernetes Event.');

const letter = z.object({
  id: z.int(),
  chain: z.string(),
  handler: z.string().describe('The handler that failed last.'),
  error: z.string(),
  attempts: z.int(),
  diedAt: time,
  change,
});

const namespace = z.object({
  namespace: z.string(),
  pods: z.array(entry),
  watch: z.enum(['starting', 'listing', 'watching', 'degraded']).optional(),
  problem: z.string().optional(),
  lastHeardAt: time.optional().describe('When the cluster last sent anything about it.'),
});

const schemas = {
  changes: z.object({
    changes: z.array(change),
    before: z.int().optional().describe('For the next page; absent on the last.'),
  }),
  alerts: z.object({ alerts: z.array(entry) }),
  alertIds: z.object({ ids: z.array(z.string()) }).describe('The ids that belong to alerts.'),
  deadLetters: z.object({ deadLetters: z.array(letter) }),
  letterIds: z.object({ ids: z.array(z.int()) }).describe('The ids that belong to dead letters.'),
  status: z.object({
    config: z.object({
      host: z.string().optional(),
      namespace: z.string().optional(),
      pageRefreshSeconds: z.int(),
      timeframe: z.int().describe('Minutes.'),
      threshold: z.int(),
    }),
    namespaces: z.array(namespace),
  }),
  unread: z.array(entry.extend({ Events: z.array(event).optional() })),
  events: z.array(event),
  podList: z.object({
    kind: z.literal('PodList'),
    apiVersion: z.literal('v1'),
    metadata: z.object({}),
    items: z.array(manifest),
  }),
  pods: z.array(manifest).max(1),
  config: z.looseObject({}).describe('The configuration in effect, defaults included.'),
  error: z.object({ error: z.string() }),
};

/** JSON Schemas. Later versions may add members that they do not name. */
export const responseSchemas = Object.fromEntries(
  Object.entries(schemas).map(([name, schema]) => [name, bare(schema)]),
) as Readonly<Record<keyof typeof schemas, object>>;

function bare(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return rest;
}
