/** CloudEvents 1.0 over HTTP: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md */
import type { Change } from '../../src/change.ts';

/** The attributes of a change's CloudEvent. `source` and `id` together are the same for every attempt, and for no other change. */
export interface Attributes {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
}

export function attributesOf(change: Change, id: string): Attributes {
  return {
    specversion: '1.0',
    id,
    source: `/clusters/${encodeURIComponent(change.cluster.name)}`,
    type: `io.github.watchchain.change.${change.action}`,
    subject: subjectOf(change),
    time: new Date(change.observedAt).toISOString(),
  };
}

/** The object's path in the API: `/apis/apps/v1/namespaces/shop/deployments/web`. */
function subjectOf({ gvr, namespace, name }: Change): string {
  const group = gvr.group === '' ? `/api/${gvr.version}` : `/apis/${gvr.group}/${gvr.version}`;
  return `${group}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${gvr.resource}/${name}`;
}

/** One JSON document. A body that is not JSON is its `data` as a string. */
export function structured(attributes: Attributes, body: string, contentType: string): string {
  const data = isJson(contentType) ? body : JSON.stringify(body);
  const envelope = JSON.stringify({ ...attributes, datacontenttype: contentType });
  return `${envelope.slice(0, -1)},"data":${data}}`;
}

export const STRUCTURED_TYPE = 'application/cloudevents+json; charset=utf-8';
export const BATCH_TYPE = 'application/cloudevents-batch+json; charset=utf-8';

/** The attributes as headers. Everything but printable ASCII is percent-encoded (3.1.3.2 of the binding). */
export function binaryHeaders(attributes: Attributes): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`ce-${name}`, encoded(String(value))]));
}

function encoded(value: string): string {
  return value.replace(/[^\x21\x23\x24\x26-\x7e]/gu, encodeURIComponent);
}

function isJson(contentType: string): boolean {
  return /^application\/(?:[\w.-]+\+)?json\b/i.test(contentType);
}
