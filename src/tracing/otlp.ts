/** Spans in the JSON encoding of OTLP over HTTP: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding */
import { VERSION } from '../version.ts';
import type { Span } from './span.ts';

/** `SPAN_KIND_INTERNAL` */
const SPAN_KIND_INTERNAL = 1;
/** `STATUS_CODE_ERROR` */
const STATUS_CODE_ERROR = 2;

/** @param clusterName the name shown in messages */
export function otlpJson(spans: readonly Span[], clusterName: string): string {
  const resource = { 'service.name': 'watchchain', 'service.version': VERSION, 'k8s.cluster.name': clusterName };
  const scopeSpans = [{ scope: { name: 'watchchain', version: VERSION }, spans: spans.map(spanJson) }];
  return JSON.stringify({ resourceSpans: [{ resource: { attributes: attributesJson(resource) }, scopeSpans }] });
}

function spanJson({ traceId, spanId, parentSpanId, name, startMs, endMs, attributes, error }: Span): object {
  return {
    traceId,
    spanId,
    parentSpanId,
    name,
    kind: SPAN_KIND_INTERNAL,
    startTimeUnixNano: nanoseconds(startMs),
    endTimeUnixNano: nanoseconds(endMs),
    attributes: attributesJson(attributes),
    status: error === undefined ? {} : { code: STATUS_CODE_ERROR, message: error },
  };
}

/** The encoding writes 64-bit integers as strings. */
function attributesJson(attributes: Span['attributes']): readonly object[] {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
  }));
}

function nanoseconds(ms: number): string {
  return String(BigInt(Math.round(ms * 1_000)) * 1_000n);
}
