/** The source of a template: parsed, and checked for everything that can be wrong without a change to render. */
import { LiquidError, toValueSync, Value, type Template as LiquidNode, type Variable } from 'liquidjs';
import { toError } from '../errors.ts';
import { didYouMean } from '../near.ts';
import { engine } from './engine.ts';
import { ALL_FILTERS } from './filters.ts';
import { ROOTS } from './scope.ts';

/** What is wrong with the source of a template, with line and column inside it. */
export class TemplateError extends Error {
  readonly code = 'TEMPLATE';
  override readonly name = 'TemplateError';
}

export interface Parsed {
  readonly nodes: LiquidNode[];
  /** The names at the beginning of what it reads. */
  readonly roots: ReadonlySet<string>;
}

/** @throws TemplateError on unknown tags, filters and names, on arguments that a filter refuses, and on what is no Liquid */
export function parse(source: string): Parsed {
  let nodes: LiquidNode[];
  try {
    nodes = engine.parse(source);
  } catch (thrown) {
    throw new TemplateError(`${reasonOf(thrown)}${placeOf(thrown)}`);
  }
  checkFilters(nodes);
  return { nodes, roots: checkNames(nodes) };
}

/** The library's reason for an error without what it quotes, but for names. */
export function reasonOf(thrown: unknown): string {
  const { message } = toError(thrown);
  const reason = message.replace(/(?:, file:\S+)?, line:\d+, col:\d+$/, '');
  const [, unclosed] = /^(output|tag|raw) .* not closed$/s.exec(reason) ?? [];
  if (unclosed !== undefined) return unclosed === 'output' ? '"{{" is not closed' : 'a tag is not closed';
  const [, filter] = /^undefined filter: ([\w-]+)$/.exec(reason) ?? [];
  if (filter !== undefined) return `unknown filter "${filter}"${didYouMean(filter, Object.keys(engine.filters))}`;
  const [, tag] = /^tag "([\w-]+)" not found$/.exec(reason) ?? [];
  if (tag !== undefined) return `unknown tag "${tag}"${didYouMean(tag, Object.keys(engine.tags))}`;
  if (/^memory alloc limit exceeded$/.test(reason)) return 'handles more text than a template may';
  return reason.replace(/: ["{$].*$/s, '');
}

/** ` (line 1, column 4)`, or nothing when the error has no place. */
export function placeOf(thrown: unknown): string {
  if (!(thrown instanceof LiquidError)) return '';
  const [line, column] = thrown.token.getPosition();
  return ` (line ${line}, column ${column})`;
}

/** Arguments that are written out are checked now: a pattern that is none, a part that no image has. */
function checkFilters(nodes: Iterable<LiquidNode>): void {
  const checks = new Map(ALL_FILTERS.map(({ name, check }) => [name, check]));
  for (const node of nodes) {
    for (const argument of node.arguments?.() ?? []) {
      if (!(argument instanceof Value)) continue;
      for (const { name, args } of argument.filters) {
        const literals = args.map((arg) => ('content' in arg ? arg.content : undefined));
        const dynamic = args.some((arg) => !('content' in arg));
        if (dynamic) continue;
        try {
          checks.get(name)?.(literals);
        } catch (thrown) {
          const [line, column] = node.token.getPosition();
          throw new TemplateError(`filter ${name}: ${toError(thrown).message} (line ${line}, column ${column})`);
        }
      }
    }
    if (node.children !== undefined) checkFilters(toValueSync(node.children(false, true)));
  }
}

/** The roots. @throws TemplateError on a name that no change has */
function checkNames(nodes: LiquidNode[]): ReadonlySet<string> {
  const roots = new Set<string>();
  for (const variable of Object.values(engine.analyzeSync(nodes, { partials: false }).globals).flat()) {
    const [root, field] = variable.segments;
    if (typeof root !== 'string') continue;
    if (!Object.hasOwn(ROOTS, root)) throw unknownName(root, root, Object.keys(ROOTS), variable);
    const fields = ROOTS[root];
    if (typeof field === 'string' && fields !== undefined && !fields.includes(field)) {
      throw unknownName(`${root}.${field}`, field, fields, variable);
    }
    roots.add(root);
  }
  return roots;
}

function unknownName(name: string, last: string, known: readonly string[], { location }: Variable): TemplateError {
  const near = didYouMean(last, known) || `; there are ${known.join(', ')}`;
  return new TemplateError(`unknown name "${name}"${near} (line ${location.row}, column ${location.col})`);
}
