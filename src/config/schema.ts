/** What a configuration file may say. The descriptions are the reference; handlers bring their own options. */
import { z } from 'zod';
import { toError } from '../errors.ts';
import { namesEvent, REPEATS } from '../event.ts';
import { age, duration, durationFrom, durationMs } from './duration.ts';
import { pattern, size } from './fields.ts';
import { filePath } from './paths.ts';
import { LOG_FORMATS, LOG_LEVELS } from '../log.ts';
import { isPattern } from '../namespaces.ts';
import { parseFieldPath } from '../source/field-path.ts';
import { fieldSelector, labelSelector } from './selector.ts';

/** Environment variables that hold secrets by their name; `[redact] envNames` adds to them. */
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

/** A namespace by its exact name, or several by a pattern. */
export const namespaces = z.array(
  z
    .string()
    .refine(
      (name) => (isPattern(name) ? /^[-a-z0-9*]{1,63}$/ : NAMESPACE).test(name),
      'must be the name of a namespace: lower-case letters, digits and "-"; "*" stands for any of them',
    ),
);

/** As the API server checks names of Leases. */
export const leaseName = z
  .string()
  .max(253)
  .regex(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    'must be made of lower-case letters, digits, "-" and "."',
  );

/** Of a name of a metric; kubernetes-event-exporter's own rule. */
export const exporterPrefix = z
  .string()
  .regex(/^([a-zA-Z][a-zA-Z0-9_:]*_)?$/, 'must match ^[a-zA-Z][a-zA-Z0-9_:]*_$')
  .refine((prefix) => prefix !== 'watchchain_', 'is the prefix of our own: both have a build_info');

/** Of a field that is secret: a mistake in it is found here, not when the first change is to be redacted. */
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
      'Kind, plural, singular or short name, in any case: `deployment`, `deploy`, `certificates.cert-manager.io`.',
    ),
  apiVersion: z
    .string()
    .regex(/^([a-z0-9.-]+\/)?[a-z0-9.-]+$/, 'must be a group and version such as "apps/v1" or "v1", or a group')
    .optional()
    .describe(
      '`apps/v1`, `v1`, or a group without version. Needed where several groups serve the name, or when the kind is installed later.',
    ),
  namespaces: namespaces
    .min(1, 'must name at least one namespace; leave it out for all of them')
    .optional()
    .describe(
      'Names, or patterns such as `team-*`, for which all namespaces are watched and the others passed over. Default: all namespaces, or those of --namespace.',
    ),
  labelSelector: labelSelector
    .optional()
    .describe('Which objects, by label. Default: all, or those of --label-selector.'),
  fieldSelector: fieldSelector
    .optional()
    .describe('Which objects, by a field the API server can select on. Default: all.'),
  repeats: z
    .enum(REPEATS)
    .optional()
    .describe(
      'Of Kubernetes Events: which occurrences after the first are told: none (`"first"`), the 2nd, 4th, 8th, ... (`"powers"`) or every one (`"every"`). Default: `"powers"`.',
    ),
  maxAge: durationFrom('1s', age)
    .optional()
    .describe(
      'Of Kubernetes Events: what had happened longer ago when it was seen is not told; what happened while nothing was watching is. Default: any age.',
    ),
});

const resource = resourceFields.superRefine(({ kind, apiVersion, ...given }, context) => {
  if (namesEvent(kind, apiVersion)) return;
  for (const key of ['repeats', 'maxAge'] as const) {
    const message = 'is for Kubernetes Events only: leave it out, or write kind = "event"';
    if (given[key] !== undefined) context.addIssue({ code: 'custom', path: [key], message });
  }
});

/** Everything but `name` and `id` is an option of the handler that `name` names. */
const handler = z.looseObject({
  name: z
    .string()
    .min(1)
    .describe('A built-in handler, or the path of your own, relative to this file: `./handlers/page-me.ts`.'),
  id: z
    .string()
    .regex(/^[\w.-]+$/, 'must be made of letters, digits, "_", "." and "-"')
    .optional()
    .describe('Tells it from others of its name in the chain; part of what is stored, so keep it. Default: the name.'),
});

const retry = z.strictObject({
  retries: z.int().min(0).max(100).optional().describe('Runs of the chain after the first one has failed. Default: 3.'),
  minTimeout: duration.optional().describe('The first wait, times a random 1 to 2. Default: `"1s"`.'),
  factor: z
    .number()
    .min(1)
    .max(100)
    .optional()
    .describe('Each later wait is this much longer, up to an hour. Default: 5, which makes 1 s, 5 s, 25 s.'),
  deferFor: duration
    .optional()
    .describe(
      'How long a change may wait for a receiver that cannot be reached or asks for patience, without using up a retry. Default: `"15m"`.',
    ),
});

const workFields = {
  handler: z
    .array(handler)
    .min(1)
    .optional()
    .describe(
      'What happens to each change, in this order. What else stands in the table is an option of the handler that `name` names.',
    ),
  quiet: z
    .array(z.looseObject({}))
    .optional()
    .describe(
      'When something is not told, or later: each has the options of the handler [`quiet`](handlers/quiet.md).',
    ),
  concurrency: z
    .int()
    .min(1)
    .max(1_000)
    .optional()
    .describe(
      'Changes of different objects that a chain works on at once; a crash can send this many twice. Default: 8.',
    ),
  coalesce: z
    .boolean()
    .optional()
    .describe(
      'Changes of one object that have waited for ten seconds and more, none of them tried yet, are told as one; those that cancel out are not told. Not where a handler counts them. Default: true.',
    ),
  retry: retry.optional().describe('What happens when a handler fails.'),
  deadLetters: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Name of a chain that gets each change that is given up, with the reason (`change.notes.deadLetter`); it needs no `[[chain.resource]]`. What that chain itself gives up is not told. Default: nobody is told.',
    ),
};

const chainName = z
  .string()
  .regex(/^[^/\s][^/]*$/, 'must be a name without "/"')
  .describe('Part of what is stored, so keep it.');

const BRANCHES =
  'Each gets what passed the handlers, side by side; `retry`, `concurrency` and `deadLetters` are as around it unless given.';

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
      'Who reads the alerts by GET has read them, as there. Default: false, they are marked by `POST /api/alerts/ack`.',
    ),
  includeEvents: z.boolean().optional().describe('Alerts carry the Events of their pods. Default: true.'),
  pageRefreshSeconds: z.int().min(1).optional().describe('What `/status` says of it. Default: 60.'),
  timeZone: z
    .string()
    .refine(isTimeZone, 'must be a time zone such as "Europe/Berlin"')
    .optional()
    .describe('Of the times that are no RFC 3339. Default: that of TZ, or UTC.'),
  host: z.string().optional().describe('What `/status` says of it.'),
  namespace: z.string().optional().describe('What `/status` says of it.'),
});

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** A configuration file. `resource`, `handler` and `branch` at its top are the chain `default`; `concurrency`, `retry` and `deadLetters` there are for every chain that has none of its own. */
export const configFile = z.strictObject({
  cluster: z
    .strictObject({
      kubeconfig: z
        .string()
        .min(1)
        .optional()
        .describe('Path, relative to this file; several as in KUBECONFIG. Default: the usual places.'),
      context: z.string().min(1).optional().describe("Default: the kubeconfig's current one."),
      name: z
        .string()
        .min(1)
        .optional()
        .describe("Shown in every message. Default: the kubeconfig's name of the cluster."),
      server: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe('The API server, in the place of a kubeconfig: `https://api.example:6443`.'),
      token: z.string().min(1).optional().describe('With `server`: a bearer token, such as `"${K8S_TOKEN}"`.'),
      tokenFile: filePath.optional().describe('With `server`: a file with the token, read again when it changes.'),
      caFile: filePath.optional().describe("With `server`: who vouches for it. Default: the system's authorities."),
      insecure: z
        .boolean()
        .optional()
        .describe('With `server`: do not check its certificate, so that anybody in between can read everything.'),
      maxSilence: durationFrom('10s')
        .optional()
        .describe(
          'After so long without a byte a watch counts as dead, and is asked for anew from where it was; `"60s"` also asks for a new watch every 30 to 45 s. Default: after three bookmarks that did not come, 90 to 150 s.',
        ),
    })
    .superRefine((cluster, context) => {
      const { server, kubeconfig, context: named, name: _, maxSilence: __, ...direct } = cluster;
      const wrong =
        server === undefined
          ? Object.keys(direct)
          : Object.keys({ ...(kubeconfig && { kubeconfig }), ...(named && { context: named }) });
      const message = server === undefined ? 'belongs to "server", which is missing' : 'does not go with "server"';
      for (const key of wrong) context.addIssue({ code: 'custom', message, path: [key] });
      if (direct.token !== undefined && direct.tokenFile !== undefined)
        context.addIssue({ code: 'custom', message: 'does not go with "token"', path: ['tokenFile'] });
    })
    .optional(),
  state: z
    .strictObject({
      path: z
        .string()
        .min(1)
        .optional()
        .describe(
          'Folder of the state, relative to this file; of this configuration alone: another that runs with it later forgets what this one watches, and takes what waits for chains of its names. Default: below $XDG_STATE_HOME.',
        ),
      name: z.string().min(1).optional().describe("Tells the states of one cluster apart. Default: this file's name."),
    })
    .optional(),
  history: z
    .strictObject({
      maxAge: age.optional().describe('A change that has ended is kept for so long. Default: `"7d"`.'),
      maxSize: size
        .optional()
        .describe('So many bytes of manifests are kept, of the newest changes: `"2Gi"`. Default: `"512Mi"`.'),
    })
    .optional(),
  web: z
    .strictObject({
      // Around it is often the line feed that `echo` has put into a Secret.
      token: z
        .string()
        .trim()
        .min(16, 'must have at least 16 characters')
        .regex(/^[\w.~+/=-]+$/, 'must be of letters, digits and . _ ~ + / = - only, as a bearer token is')
        .optional()
        .describe('Who knows it may see the page and its endpoints, and replay: `"${WEB_TOKEN}"`.'),
      clusterAccess: z
        .boolean()
        .optional()
        .describe(
          'Ask the cluster who a bearer token is and whether that one may `get` or `update` the path (TokenReview, SubjectAccessReview).',
        ),
      hosts: z
        .array(
          z.string().regex(/^[\w.-]+$/, 'must be a name such as watchchain.example, without scheme, port or wildcard'),
        )
        .optional()
        .describe('Names under which people reach the page, beside loopback and addresses: `["watchchain.example"]`.'),
      basePath: z
        .string()
        .regex(/^(\/[\w.~-]+)+$/, 'must begin with "/" and not end with it')
        .optional()
        .describe('Where a proxy serves the page: `"/watchchain"`.'),
      open: z
        .boolean()
        .optional()
        .describe('Whoever reaches the address may see and do everything: for a network that is closed otherwise.'),
      exporterMetrics: exporterPrefix
        .optional()
        .describe(
          'At `/metrics`, kubernetes-event-exporter\'s own seven beside ours, with this before their names, its `metricsNamePrefix`: `"event_exporter_"`, or `""`.',
        ),
      podWatcher: podWatcher
        .optional()
        .describe("How `/status` and `/pod-restart-alerts` answer, OpenShift's Pod Watcher's own."),
    })
    .optional()
    .describe(
      'Who may see the page. Without it: who is on this machine when it listens on loopback, and nobody elsewhere; /livez, /readyz and /metrics are open.',
    ),
  log: z
    .strictObject({
      level: z.enum(LOG_LEVELS).optional().describe('`--log-level` wins. Default: `"info"`.'),
      format: z
        .enum(LOG_FORMATS)
        .optional()
        .describe(
          '`--log-format` wins. Default: text on a terminal, else JSON. `"python"`: `2026-11-20 23:42:03,123 [INFO] message`.',
        ),
    })
    .optional()
    .describe("The service's own log, on stderr."),
  whileAway: z
    .enum(['summary', 'each', 'ignore'])
    .optional()
    .describe(
      'What happened while nothing was watching: told as one message of each sink that can, one by one, or not at all. Default: one by one, from 20 changes on as one message.',
    ),
  existing: z
    .enum(['silent', 'added'])
    .optional()
    .describe(
      'What is there when a resource is watched for the first time: not told, or told as added, once. Default: not told.',
    ),
  lookup: z
    .strictObject({
      enabled: z
        .boolean()
        .optional()
        .describe('False: the cluster is never asked; only what a change itself says is known. Default: true.'),
      requestsPerSecond: z
        .number()
        .min(0)
        .optional()
        .describe('On average; 0 is unlimited. What comes sooner waits, and loses nothing. Default: 5.'),
      burst: z.int().min(1).optional().describe('How many may go at once before the rate holds. Default: 10.'),
    })
    .optional()
    .describe(
      'Where a handler or template asks for the labels, annotations or owners of an object that is not watched, the cluster is asked, once a minute for each object.',
    ),
  lease: z
    .strictObject({
      name: leaseName
        .optional()
        .describe(
          'Of the Lease; the same for all of which one is to work. Default: `watchchain-` and the name of the state, with a hash behind it where a Lease may not have that name.',
        ),
      namespace: namespace.optional().describe("Where it is. Default: the pod's own, or the kubeconfig's."),
      duration: durationFrom('3s')
        .refine((text) => durationMs(text) % 1_000 === 0, 'must be whole seconds')
        .optional()
        .describe(
          'How long others wait when its holder has vanished. It is renewed every 2/15 of that, and who could not for 2/3 of it stops. Default: `"15s"`.',
        ),
    })
    .optional()
    .describe(
      'Work only while holding this Lease (coordination.k8s.io), and wait while another does: never two at once. Without it, whoever is started works.',
    ),
  heartbeat: z
    .strictObject({
      url: z
        .url({ protocol: /^https?$/, error: 'must be an https:// or http:// URL' })
        .describe(
          'Where the request goes: `"${HEARTBEAT_URL}"`. It is a secret: who knows it can keep the alarm quiet.',
        ),
      method: z.enum(['GET', 'POST']).optional().describe('Default: `"POST"`, without a body.'),
      every: durationFrom('1s').optional().describe('Default: `"1m"`.'),
    })
    .optional()
    .describe(
      "Sends a request now and then while all is well, to a dead man's switch, which raises the alarm when it stays away. All is well while every kind is watched and heard of, the store takes what was seen, and no receiver is given a rest.",
    ),
  tracing: z
    .strictObject({
      endpoint: z
        .url({ protocol: /^https?$/, error: 'must be an https:// or http:// URL' })
        .describe('Of a collector that takes OTLP over HTTP, without `/v1/traces`: `"http://otel-collector:4318"`.'),
      headers: z
        .record(
          z.string().regex(/^[\w-]+$/),
          z
            .string()
            .trim()
            .regex(/^[\x20-\x7e]*$/, 'must be visible ASCII'),
        )
        .optional()
        .describe('Such as `{ Authorization = "Bearer ${TOKEN}" }`.'),
      ratio: z.number().min(0).max(1).optional().describe('Of all changes, those that are traced. Default: 1, all.'),
    })
    .optional()
    .describe('Tells the trip of each change as an OpenTelemetry trace. Without it nothing of this is loaded.'),
  redact: z
    .strictObject({
      envNames: z
        .array(pattern)
        .optional()
        .describe('More environment variables whose values are secret, by name: RE2, found anywhere in it.'),
      paths: z
        .record(z.string(), z.array(redactedPath))
        .optional()
        .describe('More fields that are secret, per kind (`"*"`: every kind): `configmap = ["data.password"]`.'),
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
      'More [chains](chains.md): each has a `name`, which is part of what is stored, so keep it, and a `resource`, `handler`, `branch`, `quiet`, `concurrency`, `coalesce`, `retry` and `deadLetters` of its own.',
    ),
});

export type ConfigFile = z.output<typeof configFile>;
export type ResourceTable = z.output<typeof resource>;
