/** The Events of a namespace or a pod, asked of the cluster when somebody wants to see them. */
import { rows, table, time } from '../../../handlers/podAlerts/read.ts';
import type { Json, JsonObject } from '../../json.ts';
import type { ApiClient } from '../../source/api.ts';

const LIMIT = 500;
const TIMEOUT_MS = 3_000;

/** The answer of the cluster, or why there is none. */
export type EventsAnswer = { readonly events: readonly JsonObject[] } | { readonly problem: string };

/** The oldest first. Never rejects. @param uid of the pod, so that those of a namesake before it are left out */
export async function eventsOf(
  api: ApiClient | undefined,
  {
    namespace,
    pod,
    uid,
  }: { readonly namespace: string; readonly pod?: string | undefined; readonly uid?: string | undefined },
): Promise<EventsAnswer> {
  if (api === undefined) return { problem: 'the cluster was not reached yet' };
  const fields = [
    ...(pod === undefined ? [] : [`involvedObject.name=${pod}`]),
    ...(uid === undefined ? [] : [`involvedObject.uid=${uid}`]),
  ];
  const query = { limit: LIMIT, ...(fields.length === 0 ? {} : { fieldSelector: fields.join(',') }) };
  try {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`;
    const { status, body } = await api.request('GET', path, { query, timeoutMs: TIMEOUT_MS });
    if (status !== 200) return { problem: `the cluster answered ${status}` };
    const found = rows(JSON.parse(body.toString('utf8')) as Json, 'items');
    return { events: found.map(withoutManagers).toSorted((a, b) => whenOf(a) - whenOf(b)) };
  } catch (thrown) {
    return { problem: thrown instanceof Error ? thrown.message : 'the cluster does not answer' };
  }
}

function withoutManagers(event: JsonObject): JsonObject {
  const { managedFields: _, ...metadata } = table(event, 'metadata');
  return { ...event, metadata };
}

/** Milliseconds since the epoch; some Events have an `eventTime` only. 0: it does not say. */
export function whenOf(event: JsonObject): number {
  return (
    time(event, 'series', 'lastObservedTime') ??
    time(event, 'lastTimestamp') ??
    time(event, 'eventTime') ??
    time(event, 'firstTimestamp') ??
    time(event, 'metadata', 'creationTimestamp') ??
    0
  );
}
