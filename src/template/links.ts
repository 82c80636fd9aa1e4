/** The links of a message: a template for each URL, by label. */
import { TerminalError } from '../errors.ts';
import type { TemplateScope } from './scope.ts';
import { compileTemplate } from './template.ts';

export interface Link {
  readonly label: string;
  /** Absolute and percent-encoded: no blanks, no control characters. */
  readonly url: string;
}

/** As many as a receiver shows side by side: a card in Teams has up to 6 buttons. */
export const MAX_LINKS = 5;
export const MAX_LABEL_LENGTH = 60;
/** A field in Slack holds 2,000 characters, counted with the label, and with four more for each `&`: hence the limit on these. */
const MAX_URL_LENGTH = 1_500;
const MAX_AMPERSANDS = 50;

/**
 * Compiles the templates. The result has the links that yield anything, in order, and throws TerminalError naming the field if
 * one is no http(s) URL, or too long.
 */
export function compileLinks(
  sources: Readonly<Record<string, string>> = {},
): (scope: TemplateScope) => readonly Link[] {
  const links = Object.entries(sources).map(([label, source]) => {
    const field = `links.${label}`;
    return { label, field, template: compileTemplate(source, field) };
  });
  return (scope) =>
    links.flatMap(({ label, field, template }) => {
      const text = template.text(scope).trim();
      if (text === '') return [];
      const url = linkUrl(text);
      if (url === undefined)
        throw new TerminalError(
          `The template of ${field} yields no ${LINK_URL}: let it yield nothing to leave the link out`,
        );
      return [{ label, url }];
    });
}

/** What a link has to be, for errors. */
export const LINK_URL = `https:// or http:// URL of at most ${MAX_URL_LENGTH.toLocaleString('en')} characters, with at most ${MAX_AMPERSANDS} "&"`;

/** The URL in its one spelling; undefined if it is none for a link. */
export function linkUrl(text: string): string | undefined {
  if (!/^https?:\/\//i.test(text)) return undefined;
  const url = URL.parse(text)?.href;
  if (url === undefined || url.length > MAX_URL_LENGTH) return undefined;
  return url.split('&').length - 1 > MAX_AMPERSANDS ? undefined : url;
}
