/** Translates layouts and single templates of kubernetes-event-exporter to Liquid. */
import type { Path } from '../../problems.ts';
import { GoTemplateError } from './go-template/ast.ts';
import { wholeEvent, type FieldOptions } from './go-template/fields.ts';
import { translateGoTemplate } from './go-template/translate.ts';
import type { ExporterEnvironment } from './environment.ts';
import type { Report } from '../report.ts';

export interface TemplateContext {
  readonly fields: FieldOptions;
  readonly environment: ExporterEnvironment;
  readonly report: Report;
}

/** Undefined if it cannot be translated, which is reported. */
export function translateTemplate(
  template: string,
  path: Path,
  context: TemplateContext,
  target: 'text' | 'layout' = 'text',
): string | undefined {
  const { fields, environment, report } = context;
  try {
    return environment.reference(translateGoTemplate(environment.withTemplates(template), fields, target));
  } catch (thrown) {
    if (!(thrown instanceof GoTemplateError)) throw thrown;
    report.unsupported(path, `must be a Go template that can be translated: ${thrown.message}`);
    return undefined;
  }
}

/**
 * A layout with its keys in byte order, as Go writes a map. Numbers and booleans are kept, which Go turns into `null`; what
 * is null, or cannot be translated, is left out.
 */
export function translateLayout(layout: unknown, path: Path, context: TemplateContext): unknown {
  if (typeof layout === 'string') return translateTemplate(layout, path, context, 'layout');
  if (Array.isArray(layout)) {
    const elements = layout.map((inner: unknown, index) => translateLayout(inner, [...path, index], context));
    return elements.filter((inner) => inner !== undefined);
  }
  if (typeof layout !== 'object' || layout === null) return layout ?? undefined;
  const members = Object.entries(layout)
    .map(([key, inner]) => [context.environment.resolve(key), translateLayout(inner, [...path, key], context)] as const)
    .filter(([, inner]) => inner !== undefined)
    .toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return Object.fromEntries(members);
}

/** What is sent without a layout: the whole Event, as by kubernetes-event-exporter. */
export function wholeEventTemplate({ fields, environment }: TemplateContext): string {
  return environment.reference(`{{ ${wholeEvent(fields)} }}`);
}
