/** The two bodies that Grafana's annotations API takes: https://grafana.com/docs/grafana/latest/developers/http_api/annotations/ */
import { TerminalError } from '../../src/errors.ts';
import type { Json } from '../../src/json.ts';
import { beginningOf, printableLines } from '../../src/text/printable.ts';
import { textOf } from '../../src/template/filters/text.ts';
import { compileLayout } from '../../src/template/layout.ts';
import type { TemplateScope } from '../../src/template/scope.ts';
import { compileTemplate } from '../../src/template/template.ts';
import type { Options } from './options.ts';

export interface Annotation {
  /** Below Grafana's URL. */
  readonly path: string;
  /** @throws TerminalError naming the field, if it cannot be rendered or is not a time */
  render(scope: TemplateScope): string;
}

/**
 * The longest tag, or of a tag with a colon each of the two parts around the first one: the column widths in PostgreSQL and MySQL.
 * With a longer tag Grafana stores the annotation, then fails, and would store it again with each attempt.
 */
const MAX_TAG_CHARS = 100;

const HEADLINE = '{{ change.headline }}';
/** A late delivery still shows at the time of the change. */
const TIME = '{{ event.lastTimestamp | default: change.observedAt }}';

export function compileAnnotation(options: Options): Annotation {
  return options.format === 'graphite' ? graphite(options) : annotation(options);
}

function annotation({ text = HEADLINE, time = TIME, timeEnd = '', tags, dashboardUID, panelId }: Options): Annotation {
  const texts = compileTexts({ dashboardUID, tags, text });
  const panel = compilePanel(panelId);
  const [begin, end] = [compileTime(time, 'time'), compileTime(timeEnd, 'timeEnd')];
  return {
    path: 'api/annotations',
    render(scope) {
      const { dashboardUID, tags, text } = texts(scope);
      const panelId = panel(scope);
      return JSON.stringify({ dashboardUID, panelId, time: begin(scope), timeEnd: end(scope), tags, text });
    },
  };
}

function graphite({ what = HEADLINE, data, tags, when = TIME }: Options): Annotation {
  const texts = compileTexts({ data, tags, what });
  const at = compileTime(when, 'when');
  return {
    path: 'api/annotations/graphite',
    render(scope) {
      const ms = at(scope);
      return JSON.stringify({ ...texts(scope), when: ms === undefined ? undefined : Math.floor(ms / 1000) });
    },
  };
}

type Texts = Readonly<Record<string, string | readonly string[] | undefined>>;

/** As strings: Grafana refuses a number or an object, which `{{ change.id }}` would yield. Errors name the option itself. */
function compileTexts(fields: Readonly<Record<string, unknown>>): (scope: TemplateScope) => Texts {
  const layouts = Object.entries(fields).flatMap(([name, source]) =>
    source === undefined ? [] : [[name, compileLayout(source, name), Array.isArray(source)] as const],
  );
  return (scope) =>
    Object.fromEntries(
      layouts.map(([name, layout, isList]) => {
        const value = layout.value(scope);
        return [name, isList ? (value as readonly Json[]).map(tagOf) : value === undefined ? value : safeText(value)];
      }),
    );
}

/** People read this: text from the cluster must not hide or reverse the text around it. */
function safeText(value: Json): string {
  return printableLines(textOf(value));
}

function tagOf(value: Json): string {
  const [key = '', ...rest] = safeText(value).split(':');
  return [key, ...(rest.length === 0 ? [] : [rest.join(':')])].map(boundedTag).join(':');
}

function boundedTag(text: string): string {
  return text.length <= MAX_TAG_CHARS ? text : `${beginningOf(text, MAX_TAG_CHARS - 1)}…`;
}

/** A number, or a string of digits such as an annotation in the cluster. Undefined if the template yields nothing. */
function compilePanel(source: number | string | undefined): (scope: TemplateScope) => number | undefined {
  if (typeof source !== 'string') return () => source;
  const template = compileTemplate(source, 'panelId');
  return (scope) => {
    const text = template.text(scope).trim();
    if (text === '') return undefined;
    if (/^\d+$/.test(text)) return Number(text);
    throw new TerminalError('The template of panelId did not yield a number');
  };
}

/** In milliseconds since 1970; undefined if the template yields nothing. */
function compileTime(source: string, field: string): (scope: TemplateScope) => number | undefined {
  const template = compileTemplate(source, field);
  return (scope) => {
    const value = template.value(scope);
    if (value === undefined || value === '') return undefined;
    const ms = typeof value === 'string' && !/^\d+$/.test(value) ? Date.parse(value) : Number(value);
    if (Number.isFinite(ms)) return Math.round(ms);
    throw new TerminalError(
      `The template of ${field} did not yield a time: expected RFC 3339, or milliseconds since 1970`,
    );
  };
}
