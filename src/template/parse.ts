/** Parses the source of a template, and checks everything that can be checked without a change to render. */
import { LiquidError, toValueSync, TypeGuards, Value, type Template as LiquidNode, type Variable } from 'liquidjs';
import { toError } from '../errors.ts';
import { didYouMean } from '../text/near.ts';
import { engine } from './engine.ts';
import type { FilterDefinition } from './filter.ts';
import { ALL_FILTERS } from './filters.ts';
import { checkZone } from './filters/time.ts';
import { ROOTS } from './scope.ts';

/** What is wrong with the source of a template, with line and column. */
export class TemplateError extends Error {
  readonly code = 'TEMPLATE';
  override readonly name = 'TemplateError';
}

/** @throws TemplateError on unknown tags, filters and names, on arguments that a filter refuses, and on syntax errors */
export function parse(source: string): LiquidNode[] {
  let nodes: LiquidNode[];
  try {
    nodes = engine.parse(source);
  } catch (thrown) {
    throw new TemplateError(`${reasonOf(thrown)}${positionText(thrown)}`);
  }
  checkValues(nodes);
  checkNames(nodes);
  return nodes;
}

/** The library's reason for an error, without its quotes, except names. */
export function reasonOf(thrown: unknown): string {
  const { message } = toError(thrown);
  const reason = message.replace(/(?:, file:\S+)?, line:\d+, col:\d+$/, '');
  const [, unclosed] = /^(output|tag|raw) .* not closed$/s.exec(reason) ?? [];
  if (unclosed !== undefined) return unclosed === 'output' ? '"{{" is not closed' : 'a tag is not closed';
  const [, filter] = /^undefined filter: ([\w-]+)$/.exec(reason) ?? [];
  if (filter !== undefined) return `unknown filter "${filter}"${didYouMean(filter, Object.keys(engine.filters))}`;
  const [, tag] = /^tag "([\w-]+)" not found$/.exec(reason) ?? [];
  if (tag !== undefined) return `unknown tag "${tag}"${didYouMean(tag, Object.keys(engine.tags))}`;
  if (/^memory alloc limit exceeded$/.test(reason)) return 'processes more text than a template may';
  return reason.replace(/: ["{$].*$/s, '');
}

/** ` (line 1, column 4)`, or empty if the error has no position. */
export function positionText(thrown: unknown): string {
  if (!(thrown instanceof LiquidError)) return '';
  const [line, column] = thrown.token.getPosition();
  return ` (line ${line}, column ${column})`;
}

/** Every value in the template, including those in tags and their contents. */
function* valuesOf(nodes: Iterable<LiquidNode>): Generator<readonly [Value, LiquidNode]> {
  for (const node of nodes) {
    for (const argument of node.arguments?.() ?? []) if (argument instanceof Value) yield [argument, node];
    if (node.children !== undefined) yield* valuesOf(toValueSync(node.children(false, true)));
  }
}

function checkValues(nodes: Iterable<LiquidNode>): void {
  for (const [{ initial, filters }, { token }] of valuesOf(nodes)) {
    const wrong = problemOfOperands(initial) ?? filters.map(problemOfFilter).find((problem) => problem !== undefined);
    if (wrong === undefined) continue;
    const [line, column] = token.getPosition();
    throw new TemplateError(`${wrong} (line ${line}, column ${column})`);
  }
}

/** The library takes the first of several values and silently ignores the others: `{{ event reason }}`. */
function problemOfOperands({ postfix }: Value['initial']): string | undefined {
  let operands = 0;
  for (const token of postfix) {
    if (!TypeGuards.isOperatorToken(token)) operands += 1;
    else if (token.operator !== 'not') operands -= 1;
  }
  return operands === 1 ? undefined : 'expected one value, a "." in a name, or an operator between two values';
}

const CHECKS: ReadonlyMap<string, FilterDefinition['check']> = new Map([
  ...ALL_FILTERS.map(({ name, check }) => [name, check] as const),
  ['date', checkZone],
]);

/** Checks literal arguments now: an invalid pattern, an unknown part of an image. */
function problemOfFilter({ name, args }: Value['filters'][number]): string | undefined {
  if (args.some((arg) => !('content' in arg))) return undefined;
  try {
    CHECKS.get(name)?.(args.map((arg) => ('content' in arg ? arg.content : undefined)));
    return undefined;
  } catch (thrown) {
    return `filter ${name}: ${toError(thrown).message}`;
  }
}

/** @throws TemplateError on a name that no change has */
function checkNames(nodes: LiquidNode[]): void {
  for (const variable of Object.values(engine.analyzeSync(nodes, { partials: false }).globals).flat()) {
    const [root, field] = variable.segments;
    if (typeof root !== 'string') continue;
    if (!Object.hasOwn(ROOTS, root)) throw unknownName(root, root, Object.keys(ROOTS), variable);
    const fields = ROOTS[root];
    if (typeof field === 'string' && fields?.includes(field) === false) {
      throw unknownName(`${root}.${field}`, field, fields, variable);
    }
  }
}

function unknownName(name: string, last: string, known: readonly string[], { location }: Variable): TemplateError {
  const near = didYouMean(last, known) || `; known names are ${known.join(', ')}`;
  return new TemplateError(`unknown name "${name}"${near} (line ${location.row}, column ${location.col})`);
}
