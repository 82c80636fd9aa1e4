/** Translates the receivers that store Events, and take HTTP, into webhooks. */
import type { Path } from '../../problems.ts';
import { translateLayout, translateTemplate, type TemplateContext } from './layout.ts';
import type { SinkOptions } from './schema.ts';
import { headersOf, layoutOf, withDeDot, withHeaders, withTls, type Table } from './sinks.ts';

/** One entry for each Event, at the time when it is sent. Labels are templates here, as many files expect. */
export function loki(
  { url, headers = {}, streamLabels = {}, layout, tls }: SinkOptions<'loki'>,
  at: Path,
  context: TemplateContext,
): Table {
  const { environment, report } = context;
  if (Object.keys(streamLabels).length === 0)
    report.warning(
      at,
      'has no streamLabels: Loki refuses an entry without labels, unless it adds service_name, as Loki 3 does',
    );
  const stream = translateLayout(streamLabels, [...at, 'streamLabels'], context);
  const now = translateTemplate('{{ now.Unix }}000000000', at, context, 'layout');
  const line =
    layout === undefined
      ? translateTemplate('{{ toJson . }}', at, context, 'layout')
      : jsonTemplate(layoutOf(layout, at, context));
  return report.from(
    at,
    {
      name: 'webhook',
      url: environment.reference(url),
      ...withHeaders(headersOf(headers, at, context)),
      layout: { streams: [{ stream, values: [[now, line]] }] },
      ...withTls(tls, context),
    },
    { layout: ['layout'] },
  );
}

/** A template of a translated layout as one text of JSON, since Loki stores lines. */
function jsonTemplate(layout: unknown): string {
  if (typeof layout === 'string')
    return /[{$]/.test(layout)
      ? `{% capture text %}${layout}{% endcapture %}{{ text | go_json }}`
      : JSON.stringify(layout);
  if (Array.isArray(layout)) return `[${layout.map(jsonTemplate).join(',')}]`;
  if (typeof layout !== 'object' || layout === null) return JSON.stringify(layout);
  const members = Object.entries(layout).map(([key, inner]) => `${keyTemplate(key)}:${jsonTemplate(inner)}`);
  return `{${members.join(',')}}`;
}

/** A key is never a template, nor does it refer to a variable. */
function keyTemplate(key: string): string {
  return JSON.stringify(key).replaceAll('{', String.raw`\u007b`);
}

export function elasticsearch(
  { cloudID = '', apiKey = '', headers = {}, ...options }: SinkOptions<'elasticsearch'>,
  at: Path,
  context: TemplateContext,
): Table | undefined {
  const { environment, report } = context;
  if (cloudID !== '') {
    report.unsupported([...at, 'cloudID'], 'is not supported: write the https:// address of the deployment into hosts');
    return undefined;
  }
  const credentials = apiKey === '' ? basicAuthorization(options, context) : `ApiKey ${environment.reference(apiKey)}`;
  return document(options, { headers: headersOf(headers, at, context), credentials }, at, context);
}

export function opensearch(options: SinkOptions<'opensearch'>, at: Path, context: TemplateContext): Table | undefined {
  return document(options, { headers: {}, credentials: basicAuthorization(options, context) }, at, context);
}

/** To both stores a dot begins an object: once a field `app` is a text, `app.kubernetes.io/name` cannot be stored, nor the reverse. */
const WITHOUT_DE_DOT =
  'has no deDot: an Event about an object with labels such as app and app.kubernetes.io/name is refused; deDot: true replaces the dots';

/**
 * One document for each Event. With `useEventID`, a repeat replaces the document of the occurrence before.
 * @param credentials the header Authorization, unless the headers have one
 */
function document(
  options: SinkOptions<'opensearch'>,
  { headers, credentials }: { readonly headers: Table; readonly credentials: string | undefined },
  at: Path,
  context: TemplateContext,
): Table | undefined {
  const { environment, report } = context;
  const { hosts: [host = '', ...others] = [], type = '', useEventID = false, deDot = false, layout, tls } = options;
  const index = indexOf(options, at, context);
  if (host === '') report.unsupported([...at, 'hosts'], 'is missing: it must list the address of a node');
  if (host === '' || index === undefined) return undefined;
  if (others.length > 0)
    report.warning([...at, 'hosts'], 'only the first host is used: write the address of a load balancer there');
  if (layout === undefined && !deDot) report.warning(at, WITHOUT_DE_DOT);
  const id = useEventID ? translateTemplate('{{ .UID }}', at, context) : undefined;
  const isAuthorized = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization');
  return report.from(
    at,
    {
      name: 'webhook',
      url: environment.reference(host),
      path: [index, type === '' ? '_doc' : environment.reference(type), ...(id === undefined ? [] : [id])],
      ...(id === undefined ? {} : { method: 'PUT' }),
      ...withHeaders({
        ...(isAuthorized || credentials === undefined ? {} : { Authorization: credentials }),
        ...headers,
      }),
      layout: layoutOf(layout, at, withDeDot(context, deDot)),
      ...withTls(tls, context),
    },
    { url: ['hosts', 0], path: ['indexFormat'] },
  );
}

/** The part in braces of a format is a layout of Go for the current time: everything from the first to the last brace. */
function indexOf(
  { index = '', indexFormat = '' }: SinkOptions<'opensearch'>,
  at: Path,
  context: TemplateContext,
): string | undefined {
  if (indexFormat === '' && index === '') {
    context.report.unsupported(at, 'needs an index or an indexFormat');
    return undefined;
  }
  if (indexFormat === '') return context.environment.reference(index);
  const template = indexFormat.replace(
    /\{(.*)\}/s,
    (_, layout: string) => `{{ now | date ${JSON.stringify(layout)} }}`,
  );
  return translateTemplate(template, [...at, 'indexFormat'], context);
}

/** Undefined without both, as the clients of Elasticsearch and OpenSearch take it. */
function basicAuthorization(
  { username = '', password = '' }: SinkOptions<'opensearch'>,
  { environment }: TemplateContext,
): string | undefined {
  if (username === '' || password === '') return undefined;
  const credentials = `${username}:${password}`;
  if (environment.resolve(credentials) === credentials) return `Basic ${Buffer.from(credentials).toString('base64')}`;
  // Captured, and not written as a string of the template: a password may contain quotes.
  return `{% capture credentials %}${environment.reference(credentials)}{% endcapture %}Basic {{ credentials | go_b64enc }}`;
}
