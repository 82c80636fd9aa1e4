/** The content of a message: what changed, or what the configured templates say. */
import type { Change } from '../../src/change.ts';
import { TerminalError } from '../../src/errors.ts';
import { scopeOf, type TemplateScope } from '../../src/template/scope.ts';
import { compileTemplate } from '../../src/template/template.ts';
import { compileMarkup, mentionsIn } from './markup.ts';
import { attachmentOf, colorOf, type SlackAttachment, type SlackField } from './message.ts';
import type { Options } from './options.ts';
import { escapeText, plainText } from './text.ts';

/** The part of a message that a webhook and the Web API share. */
export interface Content {
  readonly text?: string;
  readonly attachments?: readonly (SlackAttachment | TemplatedAttachment)[];
}

interface TemplatedAttachment {
  /** If several changes share a message, what would otherwise be the text of this one's message. */
  readonly pretext?: string;
  readonly color: string;
  readonly fallback: string;
  readonly author_name?: string;
  readonly title?: string;
  readonly fields?: readonly SlackField[];
  readonly footer?: string;
}

/** Slack silently cuts longer texts; a field at 2,000. */
const MAX_TEXT_CHARS = 40_000;
export const MAX_FIELD_CHARS = 2_000;
/** Room kept for five of the longest links. */
const LINKS_CHARS = 8_000;
/** Slack rewrites no text of more than 4,000 bytes (https://docs.slack.dev/reference/methods/chat.update), a fallback's note included. */
const MAX_UPDATE_BYTES = 3_900;
/** Room kept there for five links of a usual length. */
const UPDATE_LINKS_BYTES = 1_000;

export interface Rendering {
  readonly contentOf: (change: Change) => Content;
  /** Of the text alone, whoever it mentions. */
  readonly mentionsOf: (change: Change) => readonly string[];
}

/** @param clusterName the footer of the standard message */
export function compileContent(options: Options, clusterName: string): Rendering {
  const text = compileText(options);
  return {
    contentOf: compileParts(options, clusterName, text),
    mentionsOf: (change) => mentionsIn((options.message === undefined ? undefined : text(scopeOf(change))) ?? ''),
  };
}

function compileParts(options: Options, clusterName: string, text: RenderText): Rendering['contentOf'] {
  const { message, title, color, fields, footer, authorName } = options;
  const isTemplated = [message, title, color, fields, footer, authorName].some((given) => given !== undefined);
  if (!isTemplated) return (change) => ({ attachments: [attachmentOf(change, clusterName)] });
  const attachment = compileAttachment(options);
  return (change) => {
    const scope = scopeOf(change);
    const renderedText = text(scope);
    return {
      ...(renderedText === undefined ? {} : { text: renderedText }),
      ...(attachment === undefined ? {} : { attachments: [attachment(change, scope, renderedText)] }),
    };
  };
}

/** @throws TerminalError if the templates yield nothing: Slack refuses a message without text and attachments */
export function nonEmpty(content: Content): Content {
  if (content.text || content.attachments !== undefined) return content;
  throw new TerminalError('The template of message yields nothing: there is nothing to post');
}

/** Slack previews only what a text links to, which an object may have chosen, and would fetch it for that. */
export function withoutPreviews(content: Content): object {
  return content.text === undefined ? content : { ...content, unfurl_links: false, unfurl_media: false };
}

/** Says which sink a fallback replaces, next to the cluster's name. */
export function withFallbackNote(
  content: Content,
  { insteadOf }: { readonly insteadOf?: string | undefined },
): Content {
  if (insteadOf === undefined) return content;
  const note = escapeText(`in place of ${insteadOf}`);
  const { text, attachments } = content;
  if (attachments === undefined) return { ...content, text: `${text ?? ''}\n_${note}_` };
  const noted = attachments.map((one) => ({
    ...one,
    footer: one.footer === undefined ? note : `${one.footer} · ${note}`,
  }));
  return { ...content, attachments: noted };
}

type RenderText = (scope: TemplateScope) => string | undefined;

/** The text, with room for the links below it. */
function compileText({ message, links, update }: Options): RenderText {
  const hasLinks = links !== undefined;
  if (update === undefined)
    return optional(compileMarkup, message, 'message', MAX_TEXT_CHARS - (hasLinks ? LINKS_CHARS : 0));
  const inBytes: typeof compileMarkup = (source, field, max) =>
    compileMarkup(source, field, max, (text) => Buffer.byteLength(text));
  return optional(inBytes, message, 'message', MAX_UPDATE_BYTES - (hasLinks ? UPDATE_LINKS_BYTES : 0));
}

type RenderAttachment = (change: Change, scope: TemplateScope, text: string | undefined) => TemplatedAttachment;

/** Undefined if only the text is configured. */
function compileAttachment({ title, color, fields, footer, authorName }: Options): RenderAttachment | undefined {
  if ([title, color, fields, footer, authorName].every((given) => given === undefined)) return undefined;
  const parts = {
    author_name: optional(compilePlain, authorName, 'authorName', MAX_FIELD_CHARS),
    title: optional(compilePlain, title, 'title', MAX_FIELD_CHARS),
    footer: optional(compilePlain, footer, 'footer', MAX_FIELD_CHARS),
  };
  const colored = optional(compilePlain, color, 'color', MAX_FIELD_CHARS);
  const rows = Object.entries(fields ?? {}).map(([name, source]) => {
    return { title: plainText(name, MAX_FIELD_CHARS), value: compileMarkup(source, `fields.${name}`, MAX_FIELD_CHARS) };
  });
  return (change, scope, text) => {
    const rendered = Object.entries(parts).flatMap(([name, render]) => {
      const value = render(scope);
      return value === undefined ? [] : [[name, value] as const];
    });
    const own = Object.fromEntries(rendered) as Pick<TemplatedAttachment, 'author_name' | 'title' | 'footer'>;
    const fallback = own.title ?? text ?? '';
    const shown = rows.map(({ title, value }) => ({ title, value: value(scope), short: false }) as const);
    return {
      color: colored(scope) ?? colorOf(change),
      fallback,
      ...own,
      ...(shown.length === 0 ? {} : { fields: shown }),
    };
  };
}

/** The same as {@link compileMarkup}, but a link or mention in the template is shown as text. */
const compilePlain: typeof compileMarkup = (source, field, max) => {
  const compiled = compileTemplate(source, field);
  return (scope) => plainText(compiled.text(scope), max);
};

/** Undefined if not configured or rendered empty. */
function optional(
  compile: typeof compileMarkup,
  source: string | undefined,
  field: string,
  max: number,
): (scope: TemplateScope) => string | undefined {
  if (source === undefined) return () => undefined;
  const render = compile(source, field, max);
  return (scope) => render(scope) || undefined;
}
