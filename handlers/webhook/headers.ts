/** Headers whose values are templates: one line each, without those that belong to the connection. */
import { z } from 'zod';
import { TerminalError } from '../../src/errors.ts';
import { template } from '../../src/template/fields.ts';
import { compileTemplate, type Template } from '../../src/template/template.ts';
import type { TemplateScope } from '../../src/template/scope.ts';

/** RFC 9110, 5.6.2: a token. */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** The HTTP client writes these itself. */
const RESERVED: ReadonlySet<string> = new Set(
  'connection content-length expect host keep-alive te trailer transfer-encoding upgrade'.split(' '),
);

/** Values by name; each name once, whatever its case. */
export const headerTemplates = z.record(z.string(), template).superRefine((headers, context) => {
  const seen = new Set<string>();
  for (const name of Object.keys(headers)) {
    const problem = problemOf(name, seen);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem, path: [name] });
    seen.add(name.toLowerCase());
  }
});

function problemOf(name: string, seen: ReadonlySet<string>): string | undefined {
  const lower = name.toLowerCase();
  if (!NAME.test(name)) return 'must be the name of a header: letters, digits and "-"';
  if (RESERVED.has(lower)) return 'must not be set: the connection controls it';
  return seen.has(lower) ? 'must be set once: header names ignore case' : undefined;
}

/**
 * The result has the values by lower-case name, without those that yield nothing. It throws TerminalError naming the header, also
 * if a value has a line break or a control character.
 */
export function compileHeaders(
  sources: Readonly<Record<string, string>>,
): (scope: TemplateScope) => Record<string, string> {
  const headers = Object.entries(sources).map(([name, source]) => ({
    name: name.toLowerCase(),
    field: `headers.${name}`,
    template: compileTemplate(source, `headers.${name}`),
  }));
  return (scope) =>
    // Some servers refuse a request with an empty header, and no receiver needs one.
    Object.fromEntries(
      headers
        .map(({ name, field, template }) => [name, headerValue(template, field, scope)] as const)
        .filter(([, value]) => value !== ''),
    );
}

function headerValue(template: Template, field: string, scope: TemplateScope): string {
  const value = template.text(scope).trim();
  for (const char of value) {
    const code = char.codePointAt(0) ?? 0;
    if ((code < 0x20 && char !== '\t') || code === 0x7f) {
      throw new TerminalError(
        `The template of ${field} yields a line break or another control character: a header is one line`,
      );
    }
  }
  // The client writes one byte per character, so encode to UTF-8 first.
  return Buffer.from(value, 'utf8').toString('latin1');
}
