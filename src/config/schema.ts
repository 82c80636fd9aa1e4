/** The schema of a configuration file. The descriptions are the reference; handlers define their own options. */
import { delimiter } from 'node:path';
import { z } from 'zod';
import { toError } from '../errors.ts';
import { LOG_FORMATS, LOG_LEVELS } from '../log.ts';
import { parseFieldPathByName } from '../field-path.ts';
import { chain, chainFields } from './chain-schema.ts';
import { age, durationFrom, durationMs } from './duration.ts';
import { httpUrl, pattern, size } from './fields.ts';
import { leaseName, namespace } from './names.ts';
import { filePath, notOfHome, OF_HOME } from './paths.ts';
import { web } from './web-schema.ts';

const cluster = z
  .strictObject({
    kubeconfig: z
      .string()
      .min(1)
      .refine((paths) => paths.split(delimiter).every(notOfHome), { error: OF_HOME })
      .optional()
      .describe('Path, relative to this file; several are written as in KUBECONFIG. Default: the usual places.'),
    context: z.string().min(1).optional().describe("Default: the kubeconfig's current context."),
    name: z
      .string()
      .min(1)
      .optional()
      .describe("Shown in every message. Default: the kubeconfig's name of the cluster."),
    server: httpUrl().optional().describe('The API server, instead of a kubeconfig: `https://api.example:6443`.'),
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
  .optional();

const state = z
  .strictObject({
    path: z
      .string()
      .min(1)
      .refine(notOfHome, { error: OF_HOME })
      .optional()
      .describe(
        'Folder of the state, relative to this file. For this configuration only: another one that uses it later forgets what this one watches, and takes over what waits for chains of the same names. Default: below $XDG_STATE_HOME.',
      ),
    name: z.string().min(1).optional().describe("Distinguishes the states of one cluster. Default: this file's name."),
  })
  .optional();

const history = z
  .strictObject({
    maxAge: age.optional().describe('How long a change is kept after it has ended. Default: `"7d"`.'),
    maxSize: size
      .optional()
      .describe('How many bytes of manifests are kept; the newest changes stay: `"2Gi"`. Default: `"512Mi"`.'),
  })
  .optional();

const log = z
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
  .describe("The service's own log, on stderr.");

const lookup = z
  .strictObject({
    enabled: z
      .boolean()
      .optional()
      .describe('If false, the cluster is never asked, and only what the change itself says is known. Default: true.'),
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
  );

const lease = z
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
  );

const heartbeat = z
  .strictObject({
    url: httpUrl().describe(
      'Where the request goes: `"${HEARTBEAT_URL}"`. It is a secret: anybody who knows it can keep the alarm quiet.',
    ),
    method: z.enum(['GET', 'POST']).optional().describe('Default: `"POST"`, without a body.'),
    every: durationFrom('1s').optional().describe('Default: `"1m"`.'),
  })
  .optional()
  .describe(
    "Sends a regular request to a dead man's switch while all is well; the switch raises the alarm when the requests stop. All is well while every kind is watched and heard from, the store accepts what was seen, and no receiver's circuit breaker is open.",
  );

const tracing = z
  .strictObject({
    endpoint: httpUrl().describe(
      'URL of a collector that takes OTLP over HTTP, without `/v1/traces`: `"http://otel-collector:4318"`.',
    ),
    headers: z
      .record(
        z.string().regex(/^[\w-]+$/, 'must be the name of a header: letters, digits and "-"'),
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
  .describe('Sends the trip of each change as an OpenTelemetry trace. Without this table, no tracing code is loaded.');

/** The path of a secret field: checked here, so that a mistake is not found only when the first change is redacted. */
const redactedPath = z.string().superRefine((path, context) => {
  try {
    parseFieldPathByName(path);
  } catch (thrown) {
    context.addIssue({ code: 'custom', message: toError(thrown).message });
  }
});

const redact = z
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
    'Always replaced before anything is stored: the values of Secrets, also of those within other objects (a `List`, a `ManifestWork`); variables with names such as `DB_PASSWORD`, `SSH_KEY` or `JWT`, in custom resources whatever the list is called; `Authorization` and such headers of probes; credentials in URLs (`https://user:password@host`); and private keys in any text, also in base64.',
  );

/**
 * A configuration file. `resource`, `handler` and `branch` at its top form the chain `default`; `concurrency`, `retry`,
 * `coalesce` and `deadLetters` there are for every chain without its own.
 */
export const configFile = z.strictObject({
  cluster,
  state,
  history,
  web,
  log,
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
  lookup,
  lease,
  heartbeat,
  tracing,
  redact,
  ...chainFields,
  chain: z
    .array(chain)
    .optional()
    .describe(
      'More [chains](chains.md). Each has a `name`, which is part of what is stored, so do not change it, and a `resource`, `handler`, `branch`, `quiet`, `concurrency`, `coalesce`, `retry` and `deadLetters` of its own.',
    ),
});

export type ConfigFile = z.output<typeof configFile>;
