/** Templates of the configuration: Liquid, parsed and checked when the configuration is read, rendered for each change. */
import {
  LiquidError,
  Output,
  RenderError,
  toValue,
  toValueSync,
  TypeGuards,
  type Template as LiquidNode,
} from 'liquidjs';
import { TerminalError, toError } from '../errors.ts';
import { Budget, contextOf, renderText } from './engine.ts';
import { textOf } from './filters/text.ts';
import { parse, positionText, reasonOf } from './parse.ts';
import type { TemplateScope } from './scope.ts';

export interface Template {
  /**
   * The text. What is absent renders as nothing; lists and objects as JSON.
   * @throws TerminalError naming the field, if a limit is reached or a filter is misused
   */
  text(scope: TemplateScope, budget?: Budget): string;
  /**
   * For a template that is exactly one `{{ ... }}`, its value as it is: a number, a boolean, a list, an object, or undefined
   * for nothing. For any other, its text. @throws TerminalError like {@link text}
   */
  value(scope: TemplateScope, budget?: Budget): unknown;
}

/**
 * Parses a template and checks what can be checked without a change: syntax, tags, filters, patterns, and the first two
 * names of each path.
 * @param field its name in the errors of a render: `headers.X-Severity`
 * @throws TemplateError `unknown name "chagne"; did you mean "change"? (line 1, column 4)`
 */
export function compileTemplate(source: string, field = 'template'): Template {
  if (!isTemplate(source)) return constant(source);
  const nodes = parse(source);
  const attempt = <T>(render: () => T): T => {
    try {
      return render();
    } catch (thrown) {
      throw renderFailure(thrown, field);
    }
  };
  const parts = nodes.map(partOf);
  const flat = parts.every((part) => part !== undefined);
  const text: Template['text'] = (scope, budget = new Budget()) =>
    attempt(() => (flat ? joined(parts, scope, budget) : renderText(nodes, scope, budget)));
  const [only] = parts;
  const isValue = parts.length === 1 && only !== undefined && nodes[0] instanceof Output;
  const value: Template['value'] = (scope, budget = new Budget()) => attempt(() => only?.(scope, budget));
  return { text, value: isValue ? value : text };
}

/** Whether any of it depends on the change. */
export function isTemplate(source: string): boolean {
  return source.includes('{{') || source.includes('{%');
}

function constant(source: string): Template {
  return { text: () => source, value: () => source };
}

/** A text, or the value of one `{{ ... }}`. */
type Part = (scope: TemplateScope, budget: Budget) => unknown;

/**
 * Undefined for a tag. A template without tags is rendered part by part, and plain names are looked up directly: 1 µs for four of
 * them, instead of 34 µs in the engine.
 */
function partOf(node: LiquidNode): Part | undefined {
  const { token } = node;
  if (TypeGuards.isHTMLToken(token)) {
    const text = token.getContent();
    return () => text;
  }
  if (!(node instanceof Output)) return undefined;
  const path = plainPath(node.token.content);
  return path === undefined
    ? (scope, budget) => valueOf(node, scope, budget)
    : (scope) => present(path.reduce<unknown>(own, scope));
}

function joined(parts: readonly (Part | undefined)[], scope: TemplateScope, budget: Budget): string {
  let whole = '';
  for (const part of parts) {
    const text = textOf(part?.(scope, budget));
    budget.write(text.length);
    whole += text;
  }
  return whole;
}

/** `change.after.kind`; undefined for anything else, and for names with a special meaning in Liquid. */
function plainPath(source: string): readonly string[] | undefined {
  if (!/^\s*[a-zA-Z_]\w*(?:\.[a-zA-Z_]\w*)*\s*$/.test(source)) return undefined;
  const path = source.trim().split('.');
  return path.some((name) => OWN_MEANING.has(name)) ? undefined : path;
}

const OWN_MEANING: ReadonlySet<string> = new Set(
  'size first last true false nil null empty blank and or not contains'.split(' '),
);

function own(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

function valueOf(output: Output, scope: TemplateScope, budget: Budget): unknown {
  try {
    return present(toValue(toValueSync(output.value.value(contextOf(scope, budget)))));
  } catch (thrown) {
    throw LiquidError.is(thrown) ? thrown : new RenderError(toError(thrown), output);
  }
}

/** Undefined for null, and for numbers that JSON cannot represent. */
function present(value: unknown): unknown {
  return value === null || (typeof value === 'number' && !Number.isFinite(value)) ? undefined : value;
}

/** An error of a render, reworded: the library's message quotes the source, which may hold a token. */
function renderFailure(thrown: unknown, field: string): TerminalError {
  const cause = thrown instanceof LiquidError ? thrown.originalError : thrown;
  return new TerminalError(`The template of ${field} failed: ${reasonOf(thrown)}${positionText(thrown)}`, {
    cause: cause instanceof Error ? cause : undefined,
  });
}
