/** Rules of a route as options of `match`. */
import { RE2JS } from 're2js';
import { toError } from '../../../errors.ts';
import type { Path } from '../../problems.ts';
import type { ExporterEnvironment } from './environment.ts';
import type { Report } from '../report.ts';
import type { Rule } from './schema.ts';

/** The tests of `match`; undefined when the rule can never hold. */
export type Tests = Readonly<Record<string, unknown>> | undefined;

/**
 * Where each field of a rule is tested here. Kinds are compared in any case by `match` itself, and `component` falls back to other
 * fields there: a rule of theirs does neither.
 */
const TEXTS = {
  message: 'message',
  apiVersion: 'involvedApiVersion',
  kind: 'involvedKind',
  namespace: 'namespace',
  reason: 'reason',
  type: 'type',
  host: 'host',
} as const;

export function testsOf(
  rule: Rule,
  path: Path,
  { environment, report }: { readonly environment: ExporterEnvironment; readonly report: Report },
): Tests {
  let canHold = true;
  /** As it is written here; undefined when every text matches. */
  const patternOf = (source: string, at: Path): string | undefined => {
    const verdict = judge(environment.resolve(source));
    if (verdict.kind === 'glob') {
      canHold = false;
      report.warning(
        at,
        `${JSON.stringify(source)} is no regular expression, so that it never matches, as before; ".*" matches everything`,
      );
    } else if (verdict.kind === 'invalid') {
      canHold = false;
      report.unsupported(at, `must be a regular expression in RE2's syntax, or it never matches: ${verdict.reason}`);
    }
    return verdict.kind === 'pattern' ? environment.reference(source) : undefined;
  };
  const tests: Record<string, unknown> = {};
  for (const [field, name] of Object.entries(TEXTS) as [keyof typeof TEXTS, string][]) {
    const source = rule[field];
    const pattern = source === undefined || source === '' ? undefined : patternOf(source, [...path, field]);
    if (pattern !== undefined) tests[name] = field === 'kind' ? inItsCase(pattern) : pattern;
  }
  if (rule.component !== undefined && rule.component !== '') {
    const pattern = patternOf(rule.component, [...path, 'component']);
    if (pattern !== undefined) tests['field'] = { 'source.component': pattern };
  }
  for (const table of ['labels', 'annotations'] as const) {
    const patterns = Object.entries(rule[table] ?? {}).map(([key, source]) => [
      environment.resolve(key),
      patternOf(source, [...path, table, key]) ?? '',
    ]);
    if (patterns.length > 0) tests[table] = Object.fromEntries(patterns) as object;
  }
  if (rule.minCount !== undefined && rule.minCount > 0) tests['minCount'] = rule.minCount;
  return canHold ? tests : undefined;
}

type Verdict =
  { readonly kind: 'pattern' | 'everything' | 'glob' } | { readonly kind: 'invalid'; readonly reason: string };

/** What is absent counts as the empty text there, and as nothing here: a pattern that is found in every text tests nothing. */
function judge(source: string): Verdict {
  try {
    const isFoundAnywhere = !/[\^$]|\\[AzbB]/.test(source) && RE2JS.compile(source).matcher('').find();
    if (!isFoundAnywhere) RE2JS.compile(source);
    return { kind: isFoundAnywhere ? 'everything' : 'pattern' };
  } catch (thrown) {
    // A shell pattern, as the documentation of kubernetes-event-exporter itself has it.
    if (source.startsWith('*')) return { kind: 'glob' };
    return { kind: 'invalid', reason: toError(thrown).message };
  }
}

function inItsCase(pattern: string): string {
  return pattern.startsWith('(?i)') ? pattern : `(?-i)${pattern}`;
}
