/** Spans as OTLP over HTTP has them in JSON: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding */
import { VERSION } from '../version.ts';
import type { Span } from './span.ts';

/** `SPAN_KIND_INTERNAL` */
const INTERNAL = 1;
/** `STATUS_CODE_ERROR` */
const ERROR = 2;

/** @param clusterName as every message shows it */
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
    kind: INTERNAL,
    startTimeUnixNano: nanoseconds(startMs),
    endTimeUnixNano: nanoseconds(endMs),
    attributes: attributesJson(attributes),
    status: error === undefined ? {} : { code: ERROR, message: error },
  };
}

/** A 64-bit integer is a string there. */
function attributesJson(attributes: Span['attributes']): readonly object[] {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
  }));
}

function nanoseconds(ms: number): string {
  return String(BigInt(Math.round(ms * 1_000)) * 1_000n);
}
