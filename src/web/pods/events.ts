/** The Events of a namespace or a pod, asked of the cluster when somebody wants to see them. */
import { rows, table } from '../../../handlers/podAlerts/read.ts';
import type { Manifest } from '../../change.ts';
import { happenedAt } from '../../event.ts';
import type { Json, JsonObject } from '../../json.ts';
import type { ApiClient } from '../../source/api.ts';

const LIMIT = 500;
const TIMEOUT_MS = 3_000;

/** The answer of the cluster, or why there is none. */
export type EventsAnswer = { readonly events: readonly Manifest[] } | { readonly problem: string };

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
    return { events: found.map(withoutManagers).toSorted((a, b) => (happenedAt(a) ?? 0) - (happenedAt(b) ?? 0)) };
  } catch (thrown) {
    return { problem: thrown instanceof Error ? thrown.message : 'the cluster does not answer' };
  }
}

function withoutManagers(event: JsonObject): Manifest {
  const { managedFields: _, ...metadata } = table(event, 'metadata');
  return { ...event, metadata: metadata as unknown as Manifest['metadata'] };
}
