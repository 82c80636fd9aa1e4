/**
 * Option fields that hold templates. They check a value but keep it as written; a handler compiles it in `create` with
 * {@link compileTemplate} or {@link compileLayout}, like patterns.
 */
import { z } from 'zod';
import { toError } from '../errors.ts';
import { printable } from '../text/printable.ts';
import { problemsOfLayout } from './layout.ts';
import { LINK_URL, linkUrl, MAX_LABEL_LENGTH, MAX_LINKS } from './links.ts';
import { compileTemplate, isTemplate } from './template.ts';

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

/** Links without a template are checked here, the others when they are rendered. */
const linkTable = templates.superRefine((given, context) => {
  const refuse = (path: string[], message: string): void => context.addIssue({ code: 'custom', message, path });
  const entries = Object.entries(given);
  if (entries.length > MAX_LINKS) refuse([], `must have at most ${MAX_LINKS} links: there are ${entries.length}`);
  for (const [label, source] of entries) {
    if (label.trim() === '' || label.length > MAX_LABEL_LENGTH || printable(label) !== label)
      refuse([label], `must have a label of 1 to ${MAX_LABEL_LENGTH} characters on one line`);
    if (!isTemplate(source) && linkUrl(source.trim()) === undefined) refuse([label], `must be an ${LINK_URL}`);
  }
});

/** The option `links` of a sink, for {@link compileLinks}. @param what how it shows them: `Links below the message` */
export function links(what: string) {
  return linkTable
    .optional()
    .describe(
      `${what}, up to ${MAX_LINKS}: templates for their URLs, by label. Begin each with a host of your own, and use \`url_encode\` for values. One that yields nothing is left out; if one yields anything but an \`https://\` or \`http://\` URL, the change becomes a dead letter.`,
    )
    .meta({ example: { Dashboard: 'https://grafana.example/d/ns?var-namespace={{ change.namespace | url_encode }}' } });
}

/** JSON of any nesting whose texts are Liquid templates: a table, a list, or one template. */
export const layout = z
  .union([z.string(), z.array(z.unknown()), z.record(z.string(), z.unknown())])
  .superRefine((source, context) => {
    for (const { path, message } of problemsOfLayout(source)) {
      context.addIssue({ code: 'custom', message: `must be a Liquid template: ${message}`, path: [...path] });
    }
  });
