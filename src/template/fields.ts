/**
 * Option fields that hold templates. They check a value but keep it as written; a handler compiles it in `create` with
 * {@link compileTemplate} or {@link compileLayout}, like patterns.
 */
import { z } from 'zod';
import { toError } from '../errors.ts';
import { problemsOfLayout } from './layout.ts';
import { compileTemplate } from './template.ts';

/** A text that is a Liquid template. */
export const template = z.string().superRefine((source, context) => {
  try {
    compileTemplate(source);
  } catch (thrown) {
    context.addIssue({ code: 'custom', message: `must be a Liquid template: ${toError(thrown).message}` });
  }
});

/** A table of templates by name, such as headers. */
export const templates = z.record(z.string(), template);

/** JSON of any nesting whose texts are Liquid templates: a table, a list, or one template. */
export const layout = z
  .union([z.string(), z.array(z.unknown()), z.record(z.string(), z.unknown())])
  .superRefine((source, context) => {
    for (const { path, message } of problemsOfLayout(source)) {
      context.addIssue({ code: 'custom', message: `must be a Liquid template: ${message}`, path: [...path] });
    }
  });
