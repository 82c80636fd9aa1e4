/** The schema of kubernetes-event-exporter's configuration, in the spelling of its newest builds; keys are read in any case. */
import { z } from 'zod';
import { exporterPrefix } from '../../web-schema.ts';

/** YAML reads some words as numbers or booleans. */
const text = z.union([z.string(), z.number(), z.boolean()]).transform(String);

const texts = z.record(z.string(), text);

/** A regular expression. YAML ends a text of several lines with a line feed, with which it would hardly ever match. */
const pattern = text.transform((written) => written.replace(/\n$/, ''));

const patterns = z.record(z.string(), pattern);

const rule = z.strictObject({
  message: pattern.optional(),
  apiVersion: pattern.optional(),
  kind: pattern.optional(),
  namespace: pattern.optional(),
  reason: pattern.optional(),
  type: pattern.optional(),
  component: pattern.optional(),
  host: pattern.optional(),
  labels: patterns.optional(),
  annotations: patterns.optional(),
  minCount: z.int().optional(),
  receiver: text.optional(),
});

export type Rule = z.output<typeof rule>;

const route = z.strictObject({
  match: z.array(rule).optional(),
  drop: z.array(rule).optional(),
  get routes() {
    return z.array(route).optional();
  },
});

export interface Route {
  readonly match?: readonly Rule[] | undefined;
  readonly drop?: readonly Rule[] | undefined;
  readonly routes?: readonly Route[] | undefined;
}

/** JSON of any nesting, whose texts are templates. */
const layout = z.record(z.string(), z.unknown());

const tls = z.strictObject({
  insecureSkipVerify: z.boolean().optional(),
  serverName: text.optional(),
  caFile: text.optional(),
  keyFile: text.optional(),
  certFile: text.optional(),
});

const search = {
  hosts: z.array(text).optional(),
  username: text.optional(),
  password: text.optional(),
  index: text.optional(),
  indexFormat: text.optional(),
  type: text.optional(),
  useEventID: z.boolean().optional(),
  deDot: z.boolean().optional(),
  layout: layout.optional(),
  tls: tls.optional(),
};

/** The receivers that are supported, by the key that names them. */
export const SINKS = {
  webhook: z.strictObject({
    endpoint: text,
    headers: texts.optional(),
    layout: layout.optional(),
    tls: tls.optional(),
    // In their own example, copied ever since; it means something only to kinesis.
    streamName: text.optional(),
  }),
  file: z.strictObject({
    path: text,
    layout: layout.optional(),
    deDot: z.boolean().optional(),
    maxsize: z.number().optional(),
    maxage: z.number().optional(),
    maxbackups: z.int().optional(),
  }),
  stdout: z.strictObject({ layout: layout.optional(), deDot: z.boolean().optional() }),
  slack: z.strictObject({
    token: text,
    channel: text,
    message: text.optional(),
    color: text.optional(),
    footer: text.optional(),
    title: text.optional(),
    author_name: text.optional(),
    fields: texts.optional(),
    threadKey: text.optional(),
    completionCondition: text.optional(),
    completionEmoji: text.optional(),
    cache: z.strictObject({ name: text.optional(), namespace: text.optional() }).optional(),
  }),
  teams: z.strictObject({ endpoint: text, headers: texts.optional(), layout: layout.optional() }),
  loki: z.strictObject({
    url: text,
    headers: texts.optional(),
    streamLabels: texts.optional(),
    layout: layout.optional(),
    tls: tls.optional(),
  }),
  elasticsearch: z.strictObject({
    ...search,
    cloudID: text.optional(),
    apiKey: text.optional(),
    headers: texts.optional(),
  }),
  opensearch: z.strictObject(search),
} as const;

export type SinkKey = keyof typeof SINKS;
export type SinkOptions<Key extends SinkKey> = z.output<(typeof SINKS)[Key]>;

/** All sink types of kubernetes-event-exporter: of several in one receiver, the first here counts. The last line are stubs. */
export const SINK_TYPES: readonly string[] = [
  ...'inMemory pipe webhook file syslog stdout elasticsearch kinesis firehose opensearch opsgenie'.split(' '),
  ...'sqs sns slack kafka pubsub opscenter teams bigquery eventbridge loki'.split(' '),
  ...'splunk redis logstash cloudwatch email sms'.split(' '),
];

const receiver = z.looseObject({ name: text });

export const exporterFile = z.strictObject({
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'panic', '']).optional(),
  logFormat: z.enum(['json', 'pretty', '']).optional(),
  maxEventAgeSeconds: z.int().min(0).optional(),
  throttlePeriod: z.int().min(0).optional(),
  kubeQPS: z.number().optional(),
  kubeBurst: z.int().optional(),
  namespace: text.optional(),
  clusterName: text.optional(),
  leaderElection: z.strictObject({ enabled: z.boolean().optional(), leaderElectionID: text.optional() }).optional(),
  omitLookup: z.boolean().optional(),
  cacheSize: z.int().optional(),
  metricsNamePrefix: exporterPrefix.optional(),
  route: route.optional(),
  receivers: z.array(receiver).optional(),
  watchReasons: z.array(text).optional(),
});

export type ExporterFile = Omit<z.output<typeof exporterFile>, 'route'> & { readonly route?: Route | undefined };

/** Values that are not texts in the end, or only names: a variable there is read as YAML would read its value. */
export const RESOLVED_KEYS: ReadonlySet<string> = new Set(
  [
    'maxEventAgeSeconds throttlePeriod kubeQPS kubeBurst cacheSize minCount maxsize maxage maxbackups',
    'logLevel logFormat metricsNamePrefix leaderElectionID completionEmoji',
    'enabled omitLookup deDot useEventID insecureSkipVerify name receiver',
  ].flatMap((names) => names.toLowerCase().split(' ')),
);
