/** A change as one line of JSON, for the sinks that write lines. */
import { documentOf } from '../change/change-document.ts';
import type { Change } from '../change.ts';
import { printable } from '../text/printable.ts';
import { layout } from './fields.ts';
import { compileLayout } from './layout.ts';
import { scopeOf } from './scope.ts';

/** The option `layout` of such sinks. */
export const lineLayout = layout
  .optional()
  .describe(
    'The content of a line: JSON of any nesting whose strings are templates (see [templates](../templates.md)). Default: the whole change.',
  )
  .meta({ example: { time: '{{ change.observedAt }}', text: '{{ change.headline }}' } });

/** The members of a line without a layout. */
export const LINE_MEMBERS =
  'Without a `layout`, a line holds the whole change: `headline`, `id`, `time`, `cluster`, `action`, `apiVersion`, `kind`, `key`, `namespace`, `name`, `uid`, `resourceVersion`, `by`, `flags`, and the manifests `before` and `after`, if there is one. Future versions only add members.';

/**
 * The layout's value, or without one the whole change (see change-document.ts), always on one line that ends in `\n`. Control and
 * bidirectional characters are written as JSON escapes, so the values stay the same.
 * @throws what {@link compileLayout} throws; the result throws TerminalError, like {@link Layout.value}
 */
export function compileLine(layout: unknown): (change: Change) => string {
  if (layout === undefined) return (change) => lineOf(documentOf(change));
  const compiled = compileLayout(layout);
  return (change) => lineOf(compiled.value(scopeOf(change)) ?? null);
}

function lineOf(value: unknown): string {
  return `${printable(JSON.stringify(value))}\n`;
}
