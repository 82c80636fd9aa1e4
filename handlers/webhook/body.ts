/** What a webhook sends: the user's layout or text, or the change as JSON. */
import type { Change } from '../../src/change.ts';
import { documentOf, summaryOf } from '../../src/change/change-document.ts';
import { TerminalError } from '../../src/errors.ts';
import { strictJson } from '../../src/json.ts';
import { compileLayout } from '../../src/template/layout.ts';
import type { TemplateScope } from '../../src/template/scope.ts';
import { compileTemplate } from '../../src/template/template.ts';
import type { Options } from './options.ts';

export interface Body {
  /** Unless a header says otherwise. */
  readonly contentType: string;
  /** @throws TerminalError naming the field, if it cannot be rendered */
  render(change: Change, scope: TemplateScope): string;
  /** A shorter body for when that one is too long, if there is one. */
  shorter?(change: Change): string;
}

export function compileBody({ layout, body }: Pick<Options, 'layout' | 'body'>): Body {
  if (body !== undefined) {
    const template = compileTemplate(body, 'body');
    return {
      contentType: 'text/plain; charset=utf-8',
      render: (_, scope) => template.text(scope),
    };
  }
  const contentType = 'application/json';
  if (layout !== undefined) {
    const compiled = compileLayout(layout);
    return {
      contentType,
      render: (_, scope) => strictJson(compiled.value(scope) ?? null),
    };
  }
  return { contentType, render: (change) => strictJson(documentOf(change)), shorter: jsonWithoutManifests };
}

/** The change without the manifests, which are named as left out. */
function jsonWithoutManifests(change: Change): string {
  const omitted = (['before', 'after'] as const).filter((name) => change[name] !== undefined);
  return strictJson({ ...summaryOf(change), omitted });
}

/** How a body is encoded, and how long it may be. */
export interface Bounds {
  readonly maxBodyBytes: number;
  /** Adds an envelope, which counts towards the length. */
  readonly wrap?: ((text: string) => string) | undefined;
}

/** @throws TerminalError if even the shorter body is longer than `maxBodyBytes` */
export function boundedBody(
  body: Body,
  change: Change,
  scope: TemplateScope,
  { maxBodyBytes, wrap = (text) => text }: Bounds,
): string {
  const whole = wrap(body.render(change, scope));
  if (fits(whole, maxBodyBytes)) return whole;
  const short = body.shorter?.(change);
  const shorter = short === undefined ? undefined : wrap(short);
  if (shorter !== undefined && fits(shorter, maxBodyBytes)) return shorter;
  const bytes = Buffer.byteLength(shorter ?? whole);
  throw new TerminalError(
    `The body has ${bytes} bytes, more than maxBodyBytes (${maxBodyBytes}): send less, or raise it`,
  );
}

function fits(text: string, maxBytes: number): boolean {
  // A UTF-16 unit is at most 3 bytes of UTF-8, so the bytes rarely have to be counted.
  return text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes;
}
