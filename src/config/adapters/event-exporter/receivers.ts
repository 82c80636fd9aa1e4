/** Translates receivers into sinks. */
import type { z } from 'zod';
import { didYouMean } from '../../../text/near.ts';
import { canonicalize } from '../../keys.ts';
import { problemsOf, type Path, type Problem } from '../../problems.ts';
import type { TemplateContext } from './layout.ts';
import { SINK_TYPES, SINKS, type SinkKey } from './schema.ts';
import { file, slack, stdout, teams, webhook, type Table } from './sinks.ts';
import { elasticsearch, loki, opensearch } from './stores.ts';

/**
 * The sinks of all receivers, by name; undefined for one that cannot be used, which is reported. Of two with the same name the
 * last counts, as in kubernetes-event-exporter, and both are reported.
 */
export function sinksOf(
  receivers: readonly { readonly name: string; readonly [type: string]: unknown }[],
  path: Path,
  context: TemplateContext,
): ReadonlyMap<string, Table | undefined> {
  const sinks = new Map<string, Table | undefined>();
  for (const [index, { name, ...rest }] of receivers.entries()) {
    const at = [...path, index];
    if (sinks.has(name))
      context.report.unsupported(
        [...at, 'name'],
        `must be unique: another receiver is named "${name}", and the last one would win`,
      );
    sinks.set(name, sinkOf(name, rest, at, context));
  }
  return sinks;
}

function sinkOf(name: string, table: Table, path: Path, context: TemplateContext): Table | undefined {
  const { report } = context;
  const written = new Map(Object.keys(table).map((key) => [key.toLowerCase(), key]));
  const types = SINK_TYPES.filter((type) => written.has(type.toLowerCase()));
  const known = new Set(types.map((type) => type.toLowerCase()));
  const unknown = [...written].filter(([lower]) => !known.has(lower)).map(([, key]) => key);
  for (const key of unknown) {
    report.unsupported([...path, key], OPTIONS.has(key.toLowerCase()) ? MISPLACED : unknownType(key));
  }
  const [type, ...others] = types;
  for (const other of others)
    report.unsupported([...path, other], `receiver "${name}" has several types, of which ${type} is used`);
  if (type === undefined) {
    if (unknown.length === 0)
      report.unsupported(
        path,
        `receiver "${name}" has no type: it needs one of ${Object.keys(SINKS).join(', ')}, followed by options or {}`,
      );
    return undefined;
  }
  const at = [...path, type];
  if (isSupported(type)) return TRANSLATORS[type](table[written.get(type.toLowerCase()) ?? type] ?? {}, at, context);
  const instead = BY_WEBHOOK.has(type) ? '; use a webhook with a layout instead: docs/receivers.md' : '';
  report.unsupported(at, `receiver "${name}": ${type} is not supported${instead}`);
  return undefined;
}

/** What any receiver takes. */
const OPTIONS: ReadonlySet<string> = new Set(
  Object.values(SINKS).flatMap(({ shape }) => Object.keys(shape).map((key) => key.toLowerCase())),
);
const MISPLACED = 'is an option of a receiver type: it belongs below the type, indented further';

function unknownType(key: string): string {
  return `unknown receiver type${didYouMean(key, SINK_TYPES) || `; supported are ${Object.keys(SINKS).join(', ')}`}`;
}

/** Receivers that a webhook can reach instead. */
const BY_WEBHOOK: ReadonlySet<string> = new Set(['opsgenie', 'splunk', 'email']);

function isSupported(type: string): type is SinkKey {
  return Object.hasOwn(SINKS, type);
}

type Build<Options> = (options: Options, at: Path, context: TemplateContext) => Table | undefined;

/** Many take Slack's receiver for one of webhooks, as it is in other tools. */
const WEBHOOK_URL = /^(?:endpoint|url|webhook_?(?:url)?)$/i;
const SLACK_BY_TOKEN =
  'unknown key: slack sends with a token to a channel; for the URL of a webhook, use the type webhook with layout: {text: "..."}';

const TRANSLATORS: Readonly<Record<SinkKey, Build<unknown>>> = {
  webhook: translator(SINKS.webhook, webhook),
  file: translator(SINKS.file, file),
  stdout: translator(SINKS.stdout, stdout),
  slack: translator(SINKS.slack, slack, (key) => (WEBHOOK_URL.test(key) ? SLACK_BY_TOKEN : undefined)),
  teams: translator(SINKS.teams, teams),
  loki: translator(SINKS.loki, loki),
  elasticsearch: translator(SINKS.elasticsearch, elasticsearch),
  opensearch: translator(SINKS.opensearch, opensearch),
};

/** @param hintFor what to say about an unknown key, if there is more to say than that it is unknown */
function translator<Schema extends z.ZodObject>(
  schema: Schema,
  build: Build<z.output<Schema>>,
  hintFor: (key: string) => string | undefined = () => undefined,
): Build<unknown> {
  return (given, at, context) => {
    const { report } = context;
    const unknown: Problem[] = [];
    const options = canonicalize(given, schema, at, unknown);
    for (const { path, message } of unknown) report.unsupported(path, hintFor(String(path.at(-1))) ?? message);
    const checked = schema.safeParse(options);
    if (checked.success) return build(checked.data, at, context);
    for (const { path, message } of problemsOf(checked.error, options, at, () => true)) report.problem(path, message);
    return undefined;
  };
}
