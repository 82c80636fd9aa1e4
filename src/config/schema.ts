/** The schema of a configuration file. The descriptions are the reference; handlers define their own options. */
import { z } from 'zod';
import { toError } from '../errors.ts';
import { isEventName, REPEATS } from '../event.ts';
import { age, duration, durationFrom, durationMs } from './duration.ts';
import { pattern, size } from './fields.ts';
import { filePath } from './paths.ts';
import { LOG_FORMATS, LOG_LEVELS } from '../log.ts';
import { isPattern } from '../namespaces.ts';
import { parseFieldPath } from '../source/field-path.ts';
import { fieldSelector, labelSelector } from './selector.ts';

/** Names of environment variables that hold secrets; `[redact] envNames` adds to them. */
export const SECRET_ENV_NAMES: readonly string[] = [
  '(?i)passw|passphrase|([^a-z]|^|db)pass([^a-z]|$)|pwd|secret|token|credential|connection_?string|(api|access|private|signing|encryption|master|auth|account)[._-]?key',
];

const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** A namespace by its exact name. */
export const namespace = z.string().regex(NAMESPACE, {
  error: ({ input }) =>
    String(input).includes('*')
      ? 'must be the exact name of a namespace, not a pattern'
      : 'must be the name of a namespace: lower-case letters, digits and "-"',
});

/** A namespace by its exact name, or several by a pattern such as `team-*`. */
export const namespaces = z.array(
  z
    .string()
    .refine(
      (name) => (isPattern(name) ? /^[-a-z0-9*]{1,63}$/ : NAMESPACE).test(name),
      'must be the name of a namespace: lower-case letters, digits and "-"; "*" matches any characters',
    ),
);

/** The API server's rule for names of Leases. */
export const leaseName = z
  .string()
  .max(253)
  .regex(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    'must consist of lower-case letters, digits, "-" and "."',
  );

/** The prefix of metric names; kubernetes-event-exporter's own rule. */
export const exporterPrefix = z
  .string()
  .regex(/^([a-zA-Z][a-zA-Z0-9_:]*_)?$/, 'must match ^[a-zA-Z][a-zA-Z0-9_:]*_$')
  .refine((prefix) => prefix !== 'watchchain_', "is the prefix of watchchain's own metrics: both have a build_info");

/** The path of a secret field: checked here, so that a mistake is not found only when the first change is redacted. */
const redactedPath = z.string().superRefine((path, context) => {
  try {
    parseFieldPath(path);
  } catch (thrown) {
    context.addIssue({ code: 'custom', message: toError(thrown).message });
  }
});

const resourceFields = z.strictObject({
  kind: z
    .string()
    .min(1)
    .describe(
      'Kind, plural, singular or short name, in upper or lower case: `deployment`, `deploy`, `certificates.cert-manager.io`.',
    ),
  apiVersion: z
    .string()
    .regex(/^([a-z0-9.-]+\/)?[a-z0-9.-]+$/, 'must be a group and version such as "apps/v1" or "v1", or a group')
    .optional()
    .describe(
      '`apps/v1`, `v1`, or a group without version. Needed when several groups serve the name, or when the kind is installed later.',
    ),
  namespaces: namespaces
    .min(1, 'must name at least one namespace; leave it out for all namespaces')
    .optional()
    .describe(
      'Names, or patterns such as `team-*`. A pattern watches all namespaces and skips those that do not match. Default: all namespaces, or those of --namespace.',
    ),
  labelSelector: labelSelector
    .optional()
    .describe('Selects objects by label. Default: all, or those of --label-selector.'),
  fieldSelector: fieldSelector
    .optional()
    .describe('Selects objects by a field that the API server can select on. Default: all.'),
  repeats: z
    .enum(REPEATS)
    .optional()
    .describe(
      'For Kubernetes Events: which occurrences after the first are reported: none (`"first"`), the 2nd, 4th, 8th, ... (`"powers"`) or every one (`"every"`). Default: `"powers"`.',
    ),
  maxAge: durationFrom('1s', age)
    .optional()
    .describe(
      'For Kubernetes Events: one that was older than this when it was seen is not reported, unless it happened while nothing was watching. Default: any age.',
    ),
});

const resource = resourceFields.superRefine(({ kind, apiVersion, ...given }, context) => {
  if (isEventName(kind, apiVersion)) return;
  for (const key of ['repeats', 'maxAge'] as const) {
    const message = 'applies to Kubernetes Events only: leave it out, or set kind = "event"';
    if (given[key] !== undefined) context.addIssue({ code: 'custom', path: [key], message });
  }
});

/** Everything but `name` and `id` is an option of the named handler. */
const handler = z.looseObject({
  name: z
    .string()
    .min(1)
    .describe('A built-in handler, or the path of your own, relative to this file: `./handlers/page-me.ts`.'),
  id: z
    .string()
    .regex(/^[\w.-]+$/, 'must consist of letters, digits, "_", "." and "-"')
    .optional()
    .describe(
      'Distinguishes handlers of the same name in a chain. It is part of what is stored, so do not change it. Default: the name.',
    ),
});

const retry = z.strictObject({
  retries: z
    .int()
    .min(0)
    .max(100)
    .optional()
    .describe('How many times the chain runs again after the first run fails. Default: 3.'),
  minTimeout: duration
    .optional()
    .describe('The first wait, multiplied by a random number from 1 to 2. Default: `"1s"`.'),
  factor: z
    .number()
    .min(1)
    .max(100)
    .optional()
    .describe('Each later wait is this many times longer, up to an hour. Default: 5, which gives 1 s, 5 s, 25 s.'),
  deferFor: duration
    .optional()
    .describe(
      'How long a change may wait, without using up a retry, for a receiver that cannot be reached or asks to wait. Default: `"15m"`.',
    ),
});

const workFields = {
  handler: z
    .array(handler)
    .min(1)
    .optional()
    .describe(
      'What happens to each change, in this order. Every other key of the table is an option of the handler that `name` names.',
    ),
  quiet: z
    .array(z.looseObject({}))
    .optional()
    .describe(
      'When changes are not reported, or are held for later. Each has the options of the handler [`quiet`](handlers/quiet.md).',
    ),
  concurrency: z
    .int()
    .min(1)
    .max(1_000)
    .optional()
    .describe(
      'How many changes of different objects a chain works on at once. A crash can send this many twice. Default: 8.',
    ),
  coalesce: z
    .boolean()
    .optional()
    .describe(
      'Changes of one object that have waited for ten seconds or more, none of them attempted yet, are merged into one; those that cancel out are not reported. Not in a chain with a handler that counts changes. Default: true.',
    ),
  retry: retry.optional().describe('What happens when a handler fails.'),
  deadLetters: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Name of a chain that gets each dead letter, with the reason (`change.notes.deadLetter`). It needs no `[[chain.resource]]`. Dead letters of that chain itself are not passed on. Default: nobody is told.',
    ),
};

const chainName = z
  .string()
  .regex(/^[^/\s][^/]*$/, 'must be a name without "/"')
  .describe('Part of what is stored, so do not change it.');

const BRANCHES =
  'Each gets what passed the handlers, side by side. `retry`, `concurrency` and `deadLetters` are inherited unless given.';

/** What a chain and its branches have in common. */
export interface BranchTable extends z.output<z.ZodObject<typeof workFields>> {
  branch?: BranchTable[] | undefined;
}

const branch: z.ZodType<BranchTable> = z.strictObject({
  name: chainName,
  ...workFields,
  get branch() {
    return z.array(branch).min(1).optional().describe(BRANCHES);
  },
});

const chainFields = {
  resource: z.array(resource).min(1).optional().describe('What to watch.'),
  ...workFields,
  branch: z.array(branch).min(1).optional().describe(BRANCHES),
};

const chain = z.strictObject({ name: chainName, ...chainFields });

const podWatcher = z.strictObject({
  resetOnRead: z
    .boolean()
    .optional()
    .describe(
      'Reading the alerts with GET marks them as read, as in Pod Watcher. Default: false, `POST /api/alerts/ack` marks them.',
    ),
  includeEvents: z.boolean().optional().describe('Alerts carry the Events of their pods. Default: true.'),
  pageRefreshSeconds: z.int().min(1).optional().describe('The value that `/status` reports. Default: 60.'),
  timeZone: z
    .string()
    .refine(isTimeZone, 'must be a time zone such as "Europe/Berlin"')
    .optional()
    .describe('For times that are not in RFC 3339 format. Default: that of TZ, or UTC.'),
  host: z.string().optional().describe('The value that `/status` reports.'),
  namespace: z.string().optional().describe('The value that `/status` reports.'),
});

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/**
 * A configuration file. `resource`, `handler` and `branch` at its top form the chain `default`; `concurrency`, `retry` and
 * `deadLetters` there are for every chain without its own.
 */
export const configFile = z.strictObject({
  cluster: z
    .strictObject({
      kubeconfig: z
        .string()
        .min(1)
        .optional()
        .describe('Path, relative to this file; several are written as in KUBECONFIG. Default: the usual places.'),
      context: z.string().min(1).optional().describe("Default: the kubeconfig's current context."),
      name: z
        .string()
        .min(1)
        .optional()
        .describe("Shown in every message. Default: the kubeconfig's name of the cluster."),
      server: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe('The API server, instead of a kubeconfig: `https://api.example:6443`.'),
      token: z.string().min(1).optional().describe('With `server`: a bearer token, such as `"${K8S_TOKEN}"`.'),
      tokenFile: filePath.optional().describe('With `server`: a file with the token, read again when it changes.'),
      caFile: filePath
        .optional()
        .describe("With `server`: the CA certificates that it is verified against. Default: the system's."),
      insecure: z
        .boolean()
        .optional()
        .describe('With `server`: do not verify its certificate. Anybody in between can then read everything.'),
      maxSilence: durationFrom('10s')
        .optional()
        .describe(
          'A watch that receives no byte for this long counts as dead and is opened again where it stopped. `"60s"` also opens a new watch every 30 to 45 s. Default: three missed bookmarks, 90 to 150 s.',
        ),
    })
    .superRefine((cluster, context) => {
      const { server, kubeconfig, context: named, name: _, maxSilence: __, ...direct } = cluster;
      const wrong =
        server === undefined
          ? Object.keys(direct)
          : Object.keys({ ...(kubeconfig && { kubeconfig }), ...(named && { context: named }) });
      const message = server === undefined ? 'requires "server", which is missing' : 'cannot be combined with "server"';
      for (const key of wrong) context.addIssue({ code: 'custom', message, path: [key] });
      if (direct.token !== undefined && direct.tokenFile !== undefined)
        context.addIssue({ code: 'custom', message: 'cannot be combined with "token"', path: ['tokenFile'] });
    })
    .optional(),
  state: z
    .strictObject({
      path: z
        .string()
        .min(1)
        .optional()
        .describe(
          'Folder of the state, relative to this file. For this configuration only: another one that uses it later forgets what this one watches, and takes over what waits for chains of the same names. Default: below $XDG_STATE_HOME.',
        ),
      name: z
        .string()
        .min(1)
        .optional()
        .describe("Distinguishes the states of one cluster. Default: this file's name."),
    })
    .optional(),
  history: z
    .strictObject({
      maxAge: age.optional().describe('How long a change is kept after it has ended. Default: `"7d"`.'),
      maxSize: size
        .optional()
        .describe('How many bytes of manifests are kept; the newest changes stay: `"2Gi"`. Default: `"512Mi"`.'),
    })
    .optional(),
  web: z
    .strictObject({
      // `echo` often adds a line feed when writing a Secret.
      token: z
        .string()
        .trim()
        .min(16, 'must have at least 16 characters')
        .regex(/^[\w.~+/=-]+$/, 'must consist of letters, digits and . _ ~ + / = -, as a bearer token does')
        .optional()
        .describe('Anybody who has it may see the page and its endpoints, and replay: `"${WEB_TOKEN}"`.'),
      clusterAccess: z
        .boolean()
        .optional()
        .describe(
          'Ask the cluster whose a bearer token is, and whether that user may `get` or `update` the path (TokenReview, SubjectAccessReview).',
        ),
      hosts: z
        .array(
          z.string().regex(/^[\w.-]+$/, 'must be a name such as watchchain.example, without scheme, port or wildcard'),
        )
        .optional()
        .describe(
          'Host names under which people reach the page, besides loopback and IP addresses: `["watchchain.example"]`.',
        ),
      basePath: z
        .string()
        .regex(/^(\/[\w.~-]+)+$/, 'must begin with "/" and not end with it')
        .optional()
        .describe('The path at which a proxy serves the page: `"/watchchain"`.'),
      open: z
        .boolean()
        .optional()
        .describe('Anybody who reaches the address may see and do everything: for a network that is otherwise closed.'),
      exporterMetrics: exporterPrefix
        .optional()
        .describe(
          'Adds kubernetes-event-exporter\'s own seven metrics to `/metrics`, with this prefix, its `metricsNamePrefix`: `"event_exporter_"`, or `""`.',
        ),
      podWatcher: podWatcher
        .optional()
        .describe("How `/status` and `/pod-restart-alerts`, the endpoints of OpenShift's Pod Watcher, answer."),
    })
    .optional()
    .describe(
      'Who may see the page. Without this table, anybody on this machine if the page listens on loopback, otherwise nobody. /livez, /readyz and /metrics are always open.',
    ),
  log: z
    .strictObject({
      level: z.enum(LOG_LEVELS).optional().describe('`--log-level` wins. Default: `"info"`.'),
      format: z
        .enum(LOG_FORMATS)
        .optional()
        .describe(
          '`--log-format` wins. Default: text on a terminal, otherwise JSON. `"python"`: `2026-11-20 23:42:03,123 [INFO] message`.',
        ),
    })
    .optional()
    .describe("The service's own log, on stderr."),
  whileAway: z
    .enum(['summary', 'each', 'ignore'])
    .optional()
    .describe(
      'How changes that happened while nothing was watching are reported: as one message from each sink that can, one by one, or not at all. Default: one by one, or as one message from 20 changes on.',
    ),
  existing: z
    .enum(['silent', 'added'])
    .optional()
    .describe(
      'Whether objects that exist when a resource is watched for the first time are reported: not at all, or once, as added. Default: not at all.',
    ),
  lookup: z
    .strictObject({
      enabled: z
        .boolean()
        .optional()
        .describe(
          'If false, the cluster is never asked, and only what the change itself says is known. Default: true.',
        ),
      requestsPerSecond: z
        .number()
        .min(0)
        .optional()
        .describe('On average; 0 is unlimited. Requests above the rate wait, and nothing is lost. Default: 5.'),
      burst: z
        .int()
        .min(1)
        .optional()
        .describe('How many requests may be sent at once before the rate applies. Default: 10.'),
    })
    .optional()
    .describe(
      'When a handler or template needs the labels, annotations or owners of an object that is not watched, the cluster is asked, at most once a minute for each object.',
    ),
  lease: z
    .strictObject({
      name: leaseName
        .optional()
        .describe(
          'Name of the Lease, the same for all processes of which one is to work. Default: `watchchain-` and the name of the state, followed by a hash if that name has to be altered to fit.',
        ),
      namespace: namespace.optional().describe("Namespace of the Lease. Default: the pod's own, or the kubeconfig's."),
      duration: durationFrom('3s')
        .refine((text) => durationMs(text) % 1_000 === 0, 'must be a whole number of seconds')
        .optional()
        .describe(
          'How long others wait when the holder has vanished. The holder renews the Lease every 2/15 of this time, and stops if that fails for 2/3 of it. Default: `"15s"`.',
        ),
    })
    .optional()
    .describe(
      'Work only while holding this Lease (coordination.k8s.io), and wait while another process holds it, so that two never work at once. Without this table, every started process works.',
    ),
  heartbeat: z
    .strictObject({
      url: z
        .url({ protocol: /^https?$/, error: 'must be an https:// or http:// URL' })
        .describe(
          'Where the request goes: `"${HEARTBEAT_URL}"`. It is a secret: anybody who knows it can keep the alarm quiet.',
        ),
      method: z.enum(['GET', 'POST']).optional().describe('Default: `"POST"`, without a body.'),
      every: durationFrom('1s').optional().describe('Default: `"1m"`.'),
    })
    .optional()
    .describe(
      "Sends a regular request to a dead man's switch while all is well; the switch raises the alarm when the requests stop. All is well while every kind is watched and heard from, the store accepts what was seen, and no receiver's circuit breaker is open.",
    ),
  tracing: z
    .strictObject({
      endpoint: z
        .url({ protocol: /^https?$/, error: 'must be an https:// or http:// URL' })
        .describe(
          'URL of a collector that takes OTLP over HTTP, without `/v1/traces`: `"http://otel-collector:4318"`.',
        ),
      headers: z
        .record(
          z.string().regex(/^[\w-]+$/),
          z
            .string()
            .trim()
            .regex(/^[\x20-\x7e]*$/, 'must be visible ASCII'),
        )
        .optional()
        .describe('For example `{ Authorization = "Bearer ${TOKEN}" }`.'),
      ratio: z
        .number()
        .min(0)
        .max(1)
        .optional()
        .describe('The share of changes that are traced. Default: 1, all of them.'),
    })
    .optional()
    .describe(
      'Sends the trip of each change as an OpenTelemetry trace. Without this table, no tracing code is loaded.',
    ),
  redact: z
    .strictObject({
      envNames: z
        .array(pattern)
        .optional()
        .describe('More environment variables whose values are secret: RE2 patterns, found anywhere in the name.'),
      paths: z
        .record(z.string(), z.array(redactedPath))
        .optional()
        .describe('More secret fields, per kind (`"*"` is every kind): `configmap = ["data.password"]`.'),
    })
    .optional()
    .describe(
      'Secrets, secret-looking variables and credentials in URLs (`https://user:password@host`) are always replaced before anything is stored.',
    ),
  ...chainFields,
  chain: z
    .array(chain)
    .optional()
    .describe(
      'More [chains](chains.md). Each has a `name`, which is part of what is stored, so do not change it, and a `resource`, `handler`, `branch`, `quiet`, `concurrency`, `coalesce`, `retry` and `deadLetters` of its own.',
    ),
});

export type ConfigFile = z.output<typeof configFile>;
export type ResourceTable = z.output<typeof resource>;
