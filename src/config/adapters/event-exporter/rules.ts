/** Translates the rules of a route into options of `match`. */
import { RE2JS } from 're2js';
import { toError } from '../../../errors.ts';
import type { Path } from '../../problems.ts';
import type { ExporterEnvironment } from './environment.ts';
import type { Report } from '../report.ts';
import type { Rule } from './schema.ts';

/** The options of `match`. */
export type Tests = Readonly<Record<string, unknown>>;

/**
 * The test of `match` for each field of a rule. `match` itself compares kinds in any case, and its `component` falls back to
 * other fields: a rule in kubernetes-event-exporter does neither.
 */
const TEXTS = [
  ['message', 'message'],
  ['apiVersion', 'involvedApiVersion'],
  ['kind', 'involvedKind'],
  ['namespace', 'namespace'],
  ['reason', 'reason'],
  ['type', 'type'],
  ['host', 'host'],
] as const;

interface RuleContext {
  readonly environment: ExporterEnvironment;
  readonly report: Report;
}

/** Undefined if the rule can never hold. */
export function testsOf(rule: Rule, path: Path, context: RuleContext): Tests | undefined {
  const patterns = new Patterns(context);
  const tests: Record<string, unknown> = {};
  for (const [field, name] of TEXTS) {
    const pattern = patterns.text(rule[field], [...path, field]);
    if (pattern !== undefined) tests[name] = field === 'kind' ? caseSensitive(pattern) : pattern;
  }
  const component = patterns.text(rule.component, [...path, 'component']);
  if (component !== undefined) tests['field'] = { 'source.component': component };
  for (const table of ['labels', 'annotations'] as const) {
    const values = Object.entries(rule[table] ?? {}).map(
      ([key, source]) => [context.environment.resolve(key), patterns.pattern(source, [...path, table, key])] as const,
    );
    if (values.length > 0) tests[table] = Object.fromEntries(values);
  }
  if (rule.minCount !== undefined && rule.minCount > 0) tests['minCount'] = rule.minCount;
  if (patterns.matchAbsent) tests['absentIsEmpty'] = true;
  return patterns.canHold ? tests : undefined;
}

/** The patterns of one rule. */
class Patterns {
  /** All of them are valid regular expressions. */
  canHold = true;
  /** One of them matches the empty text, which kubernetes-event-exporter takes for a field that an Event lacks. */
  matchAbsent = false;
  readonly #context: RuleContext;

  constructor(context: RuleContext) {
    this.#context = context;
  }

  /** The pattern of a field; undefined if none is given. */
  text(source: string | undefined, at: Path): string | undefined {
    if (source === undefined || source === '') return undefined;
    const compiled = this.#compiled(source, at);
    if (compiled?.test('') === true) this.matchAbsent = true;
    return this.#context.environment.reference(source);
  }

  /** The pattern of a label or annotation, which must be present. */
  pattern(source: string, at: Path): string {
    this.#compiled(source, at);
    return this.#context.environment.reference(source);
  }

  /** Undefined, and reported, if it is invalid: kubernetes-event-exporter takes it for one that never matches. */
  #compiled(source: string, at: Path): RE2JS | undefined {
    const { environment, report } = this.#context;
    const pattern = environment.resolve(source);
    try {
      return RE2JS.compile(pattern);
    } catch (thrown) {
      this.canHold = false;
      const reason = toError(thrown).message;
      // Shell patterns are common: even the documentation of kubernetes-event-exporter uses them.
      if (pattern.startsWith('*'))
        report.warning(
          at,
          `"${pattern}" is not a regular expression, so it never matches, as before; ".*" matches everything`,
        );
      else report.unsupported(at, `must be a regular expression in RE2's syntax, or it never matches: ${reason}`);
      return undefined;
    }
  }
}

function caseSensitive(pattern: string): string {
  return pattern.startsWith('(?i)') ? pattern : `(?-i)${pattern}`;
}
