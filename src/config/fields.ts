/** Fields shared by the schemas of the file and of the handlers' options. */
import { RE2JS } from 're2js';
import { z } from 'zod';
import { toError } from '../errors.ts';
import { quantityOf } from '../template/filters/quantity.ts';
import { MAX_SEARCHED_CHARS } from '../template/filters/regex.ts';

/** A regular expression in RE2's syntax; for an invalid one the message has the engine's reason. */
export const pattern = z.string().superRefine((source, context) => {
  try {
    RE2JS.compile(source);
  } catch (thrown) {
    context.addIssue({
      code: 'custom',
      message: `must be a regular expression in RE2's syntax: ${toError(thrown).message}`,
    });
  }
});

/** One pattern, or several of which any may match. */
export const patterns = z.union([pattern, z.array(pattern).min(1)]);

/** Whether any of the patterns matches in the text, anywhere unless anchored. */
export type Matcher = (text: string) => boolean;

/** Compiles patterns checked by {@link patterns}. @throws on an invalid pattern. */
export function compilePatterns(sources: z.output<typeof patterns>, options: { ignoreCase?: boolean } = {}): Matcher {
  const flags = options.ignoreCase === true ? RE2JS.CASE_INSENSITIVE : 0;
  const compiled = [sources].flat().map((source) => RE2JS.compile(source, flags));
  return (text) => {
    const input = text.slice(0, MAX_SEARCHED_CHARS);
    return compiled.some((regex) => regex.test(input));
  };
}

export const timeZone = z.string().superRefine((name, context) => {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name }).format(0);
  } catch (thrown) {
    context.addIssue({
      code: 'custom',
      message: `must be a time zone such as "Europe/Zurich": ${toError(thrown).message}`,
    });
  }
});

/** The URL of a server. @param error for anything else */
export function httpUrl(error = 'must be an https:// or http:// URL') {
  return z.url({ protocol: /^https?$/, error });
}

const SIZE_ERROR = 'must be a size in bytes as Kubernetes writes it, such as "512Mi" or "2Gi"';

/** A size, kept as written; {@link bytesOf} converts it to bytes. */
export const size = z
  .string({ error: SIZE_ERROR })
  .refine((text) => (quantityOf(text) ?? -1) >= 0, { error: SIZE_ERROR });

/** @throws RangeError for what {@link size} refuses */
export function bytesOf(text: string): number {
  const bytes = quantityOf(text);
  if (bytes === undefined) throw new RangeError(`Cannot read '${text}' as a size`);
  return bytes;
}
