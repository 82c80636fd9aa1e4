/** What a webhook appends to its URL: segments of the path and pairs of the query, each a template. */
import { z } from 'zod';
import type { Appended } from '../../src/delivery/url-below.ts';
import { TerminalError } from '../../src/errors.ts';
import { template } from '../../src/template/fields.ts';
import type { TemplateScope } from '../../src/template/scope.ts';
import { compileTemplate, isTemplate, type Template } from '../../src/template/template.ts';

/** Segments. Those without a template are checked here, the others when they are rendered. */
export const pathTemplates = z.array(template).superRefine((segments, context) => {
  for (const [index, segment] of segments.entries()) {
    const problem = isTemplate(segment) ? undefined : problemOf(segment.trim());
    if (problem === undefined) continue;
    context.addIssue({ code: 'custom', message: `must be a segment of a path: this one ${problem}`, path: [index] });
  }
});

/** As written in the options. */
export interface Sources {
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

/** Undefined for nothing. The result throws TerminalError naming the segment, and never its text. */
export function compileAppended({ path, query }: Sources): (scope: TemplateScope) => Appended | undefined {
  const segments = path.map((source, index) => compiled(source, `path[${index}]`));
  const pairs = Object.entries(query).map(([name, source]) => ({ name, ...compiled(source, `query.${name}`) }));
  if (segments.length === 0 && pairs.length === 0) return () => undefined;
  return (scope) => ({
    path: segments.map(({ field, template }) => segmentOf(template.text(scope).trim(), field)),
    query: pairs
      .map(({ name, template }) => [name, template.text(scope).trim()] as const)
      .filter(([, value]) => value !== ''),
  });
}

function compiled(source: string, field: string): { readonly field: string; readonly template: Template } {
  return { field, template: compileTemplate(source, field) };
}

function segmentOf(text: string, field: string): string {
  const problem = problemOf(text);
  if (problem === undefined) return text;
  throw new TerminalError(
    `The template of ${field} yields a segment that ${problem}: halt such changes with match, or set a default`,
  );
}

/** Why the text would lead to another place than below the URL, also at a receiver that decodes `%2F` before it reads the path. */
function problemOf(text: string): string | undefined {
  if (text === '') return 'is empty';
  return text.split(/[/\\]/).some((part) => part === '.' || part === '..')
    ? 'is "." or "..", or has one of them between slashes'
    : undefined;
}
