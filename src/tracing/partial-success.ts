/** What a collector refuses in an answer of success: https://opentelemetry.io/docs/specs/otlp/#partial-success-1 */
import { excerptOf } from '../delivery/classify.ts';
import { isObject, type JsonObject } from '../json.ts';

/** What a collector that answers 200 has against the spans: with none refused, a warning. */
export interface Refused {
  readonly spans: number;
  readonly problem: string;
}

/** Undefined if it accepts all. @param body of its answer, scrubbed */
export function refusedIn(body: string): Refused | undefined {
  const { rejectedSpans, errorMessage } = partialSuccessIn(body) ?? {};
  // In JSON, an integer of 64 bits is a string.
  const spans = Math.max(0, Math.trunc(Number(rejectedSpans ?? 0)) || 0);
  const problem = typeof errorMessage === 'string' ? excerptOf(errorMessage) : '';
  return spans === 0 && problem === '' ? undefined : { spans, problem };
}

/** A collector that answers in another form has accepted them, too. */
function partialSuccessIn(body: string): JsonObject | undefined {
  try {
    const answer: unknown = JSON.parse(body);
    const partial = isObject(answer) ? answer['partialSuccess'] : undefined;
    return isObject(partial) ? partial : undefined;
  } catch {
    return undefined;
  }
}
