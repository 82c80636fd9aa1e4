/** Translates each supported receiver into the handler that does the same. */
import type { Path } from '../../problems.ts';
import { wholeEvent } from './go-template/fields.ts';
import { translateLayout, translateTemplate, wholeEventTemplate, type TemplateContext } from './layout.ts';
import type { SinkOptions } from './schema.ts';

export type Table = Readonly<Record<string, unknown>>;

/** Go's HTTP client writes these itself, whatever is configured. */
const CONNECTION_HEADERS = /^(host|content-length|connection|transfer-encoding|trailer|te|upgrade|expect|keep-alive)$/i;

export function webhook(
  { endpoint, headers = {}, layout, tls, streamName }: SinkOptions<'webhook'>,
  at: Path,
  context: TemplateContext,
): Table {
  const { environment, report } = context;
  if (streamName !== undefined) report.warning([...at, 'streamName'], 'has no effect, as before');
  return report.from(
    at,
    {
      name: 'webhook',
      url: environment.reference(endpoint),
      ...withHeaders(headersOf(headers, at, context)),
      layout: layoutOf(layout, at, context),
      ...withTls(tls, context),
    },
    { url: ['endpoint'] },
  );
}

/** The headers as templates, without those of the connection. */
export function headersOf(headers: Readonly<Record<string, string>>, at: Path, context: TemplateContext): Table {
  const { environment, report } = context;
  const templates = Object.entries(headers).flatMap(([name, value]) => {
    const path = [...at, 'headers', name];
    if (CONNECTION_HEADERS.test(name)) {
      report.warning(path, 'belongs to the connection and is not sent, as before');
      return [];
    }
    const template = translateTemplate(value, path, context);
    return template === undefined ? [] : [[environment.resolve(name), template] as const];
  });
  return Object.fromEntries(templates);
}

export function withHeaders(headers: Table): Table {
  return Object.keys(headers).length === 0 ? {} : { headers };
}

export function withTls(tls: Table | undefined, context: TemplateContext): Table {
  return tls === undefined ? {} : { tls: references(tls, context) };
}

const DEFAULT_MAX_SIZE_MB = 100;

export function file(
  { path, layout, deDot = false, maxsize = 0, maxage = 0, maxbackups = 0 }: SinkOptions<'file'>,
  at: Path,
  context: TemplateContext,
): Table {
  const { environment, report } = context;
  // Rotation would rename the device.
  if (environment.resolve(path) === '/dev/stdout') return stdout({ layout, deDot }, at, context);
  const own = withDeDot(context, deDot);
  return report.from(
    at,
    {
      name: 'file',
      path: environment.reference(path),
      // Lumberjack, which kubernetes-event-exporter uses, takes 0 for its default.
      maxSize: maxsize === 0 ? DEFAULT_MAX_SIZE_MB : maxsize,
      maxAge: maxage,
      maxBackups: maxbackups,
      layout: layoutOf(layout, at, own),
    },
    { maxSize: ['maxsize'], maxAge: ['maxage'], maxBackups: ['maxbackups'] },
  );
}

export function stdout({ layout, deDot = false }: SinkOptions<'stdout'>, at: Path, context: TemplateContext): Table {
  return context.report.from(at, { name: 'stdout', layout: layoutOf(layout, at, withDeDot(context, deDot)) });
}

/** kubernetes-event-exporter puts everything but the text into an attachment, which exists only with `fields`. */
const ATTACHMENT = [
  ['title', 'title'],
  ['color', 'color'],
  ['footer', 'footer'],
  ['author_name', 'authorName'],
] as const;

export function slack(options: SinkOptions<'slack'>, at: Path, context: TemplateContext): Table | undefined {
  const { environment, report } = context;
  const { token, channel, message = '', fields, completionEmoji } = options;
  if (token === '') {
    report.unsupported([...at, 'token'], 'is empty: Slack requires a text');
    return undefined;
  }
  const template = (source: string, key: string) => translateTemplate(source, [...at, key], context);
  const attachment = ATTACHMENT.flatMap(([key, name]) => {
    const source = options[key];
    if (source === undefined || source === '') return [];
    if (fields !== undefined) return [[name, template(source, key)] as const];
    report.warning([...at, key], 'is not shown without fields, as before');
    return [];
  });
  const rows = Object.entries(fields ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([title, value]) => [environment.resolve(title), template(value, 'fields')] as const);
  const target = template(channel, 'channel');
  if (target === undefined) report.warning(at, 'sends nothing without a channel: left out');
  const table = {
    name: 'slack',
    token: environment.reference(token),
    channel: target,
    message: template(message, 'message'),
    ...Object.fromEntries(attachment),
    ...(fields === undefined ? {} : { fields: dropUndefined(Object.fromEntries(rows)) }),
    ...thread(options, at, context),
    ...(completionEmoji === undefined ? {} : { completionEmoji: completionEmoji.replaceAll(':', '') }),
  };
  return target === undefined ? undefined : report.from(at, dropUndefined(table), { authorName: ['author_name'] });
}

/** The options of builds with threads, except for where these store them: our state does that. */
function thread(
  { threadKey = '', completionCondition = '' }: SinkOptions<'slack'>,
  at: Path,
  context: TemplateContext,
): Table {
  if (threadKey === '') {
    if (completionCondition !== '')
      context.report.warning([...at, 'completionCondition'], 'has no effect without threadKey, as before');
    return {};
  }
  const template = (source: string, key: string) => translateTemplate(source, [...at, key], context);
  const condition = completionCondition === '' ? undefined : template(completionCondition, 'completionCondition');
  const key = template(threadKey, 'threadKey');
  return key === undefined ? {} : { threadKey: key, completionCondition: condition };
}

/** Always these lines, from the Event or from the layout's members of these names; nothing else of a layout is sent. */
export function teams({ endpoint, headers, layout }: SinkOptions<'teams'>, at: Path, context: TemplateContext): Table {
  const { environment, report } = context;
  if (headers !== undefined) report.unsupported([...at, 'headers'], 'headers of teams are not supported');
  const part = (key: string, whole: string): string => {
    if (layout === undefined) return translateTemplate(whole, at, context) ?? '';
    const source = layout[key] ?? '';
    if (typeof source === 'string') return translateTemplate(source, [...at, 'layout', key], context) ?? '';
    report.unsupported([...at, 'layout', key], 'must be a string');
    return '';
  };
  const metadata =
    layout === undefined
      ? environment.reference(`{{ ${wholeEvent(context.fields)} | go_field: "metadata" | go_print }}`)
      : undefined;
  const lines = [
    `Event: ${part('message', '{{ .Message }}')}`,
    `Status: ${part('reason', '{{ .Reason }}')}`,
    `Metadata: ${metadata ?? part('metadata', '')}`,
  ];
  const table = {
    name: 'teams',
    webhookURL: environment.reference(endpoint),
    layout: { summary: 'event', text: lines.join(' \n') },
  };
  return report.from(at, table, { webhookURL: ['endpoint'] });
}

/** The translated layout, or the whole Event without one. */
export function layoutOf(layout: Table | undefined, at: Path, context: TemplateContext): unknown {
  if (layout === undefined) return wholeEventTemplate(context);
  return translateLayout(layout, [...at, 'layout'], context);
}

export function withDeDot(context: TemplateContext, deDot: boolean): TemplateContext {
  return { ...context, fields: { ...context.fields, deDot } };
}

/** A table with its texts as in our configuration. */
function references(table: Table, { environment }: TemplateContext): Table {
  return dropUndefined(
    Object.fromEntries(
      Object.entries(table).map(([key, value]) => [
        key,
        typeof value === 'string' ? environment.reference(value) : value,
      ]),
    ),
  );
}

function dropUndefined(table: Table): Table {
  return Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined));
}
