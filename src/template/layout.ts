/** Layouts: JSON of any nesting whose texts are templates and whose values keep their type. */
import { isObject, type Json } from '../json.ts';
import { Budget } from './engine.ts';
import type { TemplateScope } from './scope.ts';
import { TemplateError } from './parse.ts';
import { compileTemplate } from './template.ts';

export interface Layout {
  /**
   * The JSON value. Numbers and booleans stay as they are; a text that is exactly one `{{ ... }}` becomes its value; a key or an
   * element that yields nothing is left out. Undefined if all of it yields nothing.
   * @throws TerminalError naming the field, if a limit is reached or a filter is misused
   */
  value(scope: TemplateScope): Json | undefined;
}

/** What is wrong in a layout, and where. */
export interface LayoutProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

type Render = (scope: TemplateScope, budget: Budget) => unknown;

/**
 * Compiles each text once. Keys are not templates, and stay in order.
 * @param field its name in errors: with `layout`, `layout.fields[2].value`
 * @throws TemplateError for the first problem that {@link problemsOfLayout} finds
 */
export function compileLayout(source: unknown, field = 'layout'): Layout {
  const render = compile(source, field);
  return { value: (scope) => render(scope, new Budget()) as Json | undefined };
}

/** Everything that is wrong with the templates of a layout. */
export function problemsOfLayout(source: unknown, path: LayoutProblem['path'] = []): readonly LayoutProblem[] {
  if (Array.isArray(source)) return source.flatMap((inner, index) => problemsOfLayout(inner, [...path, index]));
  if (isObject(source))
    return Object.entries(source).flatMap(([key, inner]) => problemsOfLayout(inner, [...path, key]));
  try {
    compileLayout(source);
    return [];
  } catch (thrown) {
    if (!(thrown instanceof TemplateError)) throw thrown;
    return [{ path, message: thrown.message }];
  }
}

function compile(source: unknown, field: string): Render {
  if (typeof source === 'string') {
    const template = compileTemplate(source, field);
    return (scope, budget) => template.value(scope, budget);
  }
  if (Array.isArray(source)) {
    const elements = source.map((inner, index) => compile(inner, `${field}[${index}]`));
    return (scope, budget) => elements.map((render) => render(scope, budget)).filter((value) => value !== undefined);
  }
  if (source instanceof Date) return () => source.toISOString();
  if (isObject(source)) {
    const members = Object.entries(source).map(([key, inner]) => [key, compile(inner, `${field}.${key}`)] as const);
    return (scope, budget) => {
      const table = Object.create(null) as Record<string, unknown>;
      for (const [key, render] of members) {
        const value = render(scope, budget);
        if (value !== undefined) table[key] = value;
      }
      return table;
    };
  }
  if (typeof source === 'boolean' || source === null || Number.isFinite(source)) return () => source;
  throw new TemplateError('must be a string, a number, true or false, a list or a table');
}
