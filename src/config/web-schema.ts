/** The table `[web]` of a configuration file. */
import { z } from 'zod';
import { timeZone } from './fields.ts';

/** The prefix of metric names; kubernetes-event-exporter's own rule. */
export const exporterPrefix = z
  .string()
  .regex(/^([a-zA-Z][a-zA-Z0-9_:]*_)?$/, 'must match ^[a-zA-Z][a-zA-Z0-9_:]*_$')
  .refine((prefix) => prefix !== 'watchchain_', "is the prefix of watchchain's own metrics: both have a build_info");

const podWatcher = z.strictObject({
  resetOnRead: z
    .boolean()
    .optional()
    .describe(
      'Reading the alerts with GET marks them as read, as in Pod Watcher. Default: false, `POST /api/alerts/ack` marks them.',
    ),
  includeEvents: z.boolean().optional().describe('Alerts carry the Events of their pods. Default: true.'),
  pageRefreshSeconds: z.int().min(1).optional().describe('The value that `/status` reports. Default: 60.'),
  timeZone: timeZone.optional().describe('For times that are not in RFC 3339 format. Default: that of TZ, or UTC.'),
  host: z.string().optional().describe('The value that `/status` reports.'),
  namespace: z.string().optional().describe('The value that `/status` reports.'),
});

export const web = z
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
  );
