/** The Events of a namespace or a pod, fetched from the cluster on demand. */
import { randomBytes } from 'node:crypto';
import { rows, table } from '../../../handlers/podAlerts/read.ts';
import type { Manifest } from '../../change.ts';
import type { RedactConfig } from '../../config/config.ts';
import { textRedactor } from '../../enrich/redact-text.ts';
import { toError } from '../../errors.ts';
import { lastOccurredAt } from '../../event.ts';
import type { Json, JsonObject } from '../../json.ts';
import type { ApiClient } from '../../source/api.ts';
import { createRedactor } from '../../source/redact.ts';

const MAX_EVENTS = 500;
const TIMEOUT_MS = 3_000;
const EVENT = { group: '', kind: 'Event', resource: 'events', singular: 'event', shortNames: ['ev'] } as const;

/** The answer of the cluster, or why there is none. */
export type EventsResult = { readonly events: readonly Manifest[] } | { readonly problem: string };

interface EventsQuery {
  readonly namespace: string;
  readonly pod?: string | undefined;
  /** The pod's, to leave out the Events of an earlier pod of the same name. */
  readonly uid?: string | undefined;
}

/** Oldest first, with secrets hidden by the rules. Never rejects. */
export async function fetchEvents(
  api: ApiClient | undefined,
  { namespace, pod, uid }: EventsQuery,
  rules: RedactConfig,
): Promise<EventsResult> {
  if (api === undefined) return { problem: 'the cluster has not been reached yet' };
  const fields = [
    ...(pod === undefined ? [] : [`involvedObject.name=${pod}`]),
    ...(uid === undefined ? [] : [`involvedObject.uid=${uid}`]),
  ];
  const query = { limit: MAX_EVENTS, ...(fields.length === 0 ? {} : { fieldSelector: fields.join(',') }) };
  try {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`;
    const { status, body } = await api.request('GET', path, { query, timeoutMs: TIMEOUT_MS });
    if (status !== 200) return { problem: `the cluster answered ${status}` };
    const found = rows(JSON.parse(body.toString('utf8')) as Json, 'items');
    const hidden = createEventRedactor(rules);
    return {
      events: found
        .map((event) => hidden(withoutManagers(event)))
        .toSorted((a, b) => (lastOccurredAt(a) ?? 0) - (lastOccurredAt(b) ?? 0)),
    };
  } catch (thrown) {
    return { problem: toError(thrown).message };
  }
}

function withoutManagers(event: JsonObject): JsonObject {
  const { managedFields: _, ...metadata } = table(event, 'metadata');
  return { ...event, metadata };
}

/** Applies the rules for stored Events and those for Events quoted in alerts, as these Events went through neither. */
function createEventRedactor(rules: RedactConfig): (event: JsonObject) => Manifest {
  const redact = createRedactor(rules, randomBytes(32)).forKind(EVENT);
  const redacted = textRedactor(() => rules.envNames);
  return (event) => {
    const hidden = JSON.parse(redact(Buffer.from(JSON.stringify(event))).toString()) as Manifest;
    const { message } = hidden;
    return typeof message === 'string' ? { ...hidden, message: redacted(message) } : hidden;
  };
}
