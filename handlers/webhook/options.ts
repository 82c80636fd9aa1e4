/** The options of a webhook. */
import { z } from 'zod';
import { httpUrl, patterns } from '../../src/config/fields.ts';
import { reach, signingSecrets } from '../../src/delivery/fields.ts';
import { layout, template, templates } from '../../src/template/fields.ts';
import { isTemplate } from '../../src/template/template.ts';
import { pathTemplates } from './appended.ts';
import { headerTemplates } from './headers.ts';

/** These would change the connection, not what is sent. */
const NO_METHODS: ReadonlySet<string> = new Set(['CONNECT', 'TRACE']);

export const options = z
  .strictObject({
    url: httpUrl()
      .refine(
        (url) => !url.includes('{{'),
        'must not contain a template: values belong in path and query, and each host needs its own sink, after match in a branch',
      )
      .describe(
        'The URL to send to; `https://user:password@...` is basic authentication. Not a template: nothing in the cluster can choose a receiver. For values in it, see `path` and `query`.',
      )
      .meta({ example: 'https://hooks.example/changes' }),
    path: pathTemplates
      .default([])
      .describe(
        'Segments that each request appends to the path of `url`, each a template. A segment is percent-encoded, and so is a slash in it: write the fixed part of the path in `url`. If a segment is empty, is `.` or `..`, or has one of these two between slashes, the change becomes a dead letter.',
      )
      .meta({ example: ['{{ change.notes.alert.fingerprint }}', 'close'] }),
    query: templates
      .default({})
      .describe(
        'Parameters that each request appends to the query of `url`: templates by name. They are percent-encoded; one that yields nothing is left out.',
      )
      .meta({ example: { identifierType: 'alias', source: '{{ change.cluster }}' } }),
    method: z
      .string()
      .regex(/^[A-Za-z]+$/, 'must be an HTTP method, such as "PUT"')
      .refine((method) => !NO_METHODS.has(method.toUpperCase()), 'must not be CONNECT or TRACE')
      .default('POST')
      .describe('The HTTP method.')
      .meta({ example: 'PUT' }),
    headers: headerTemplates
      .default({})
      .describe(
        'More headers, or other values for the default ones; each value is a template. One that yields nothing is left out. If a header cannot be rendered, the change becomes a dead letter.',
      )
      .meta({ example: { Authorization: 'Bearer ${TOKEN}', 'X-Reason': '{{ event.reason }}' } }),
    layout: layout
      .optional()
      .describe(
        'The body as JSON, written as a table whose strings are templates; see [templates](../templates.md). Default without `body`: the change as JSON, as described above.',
      )
      .meta({ example: { text: '{{ change.headline }}', count: '{{ event.count }}' } }),
    body: template
      .optional()
      .describe(
        'The body as one template, of any content type: set it in `headers`. In JSON written by hand, `| json` quotes a string; give a value that may be absent a default first, as in `{{ event.reason | default: "" | json }}`, because nothing would be written for it. Not together with `layout`.',
      )
      .meta({ example: '{{ change.headline }}' }),
    cloudEvents: z
      .enum(['structured', 'binary'])
      .optional()
      .describe(
        'Send a CloudEvent 1.0 whose data is the body: as one JSON document, or with the attributes as `ce-` headers.',
      )
      .meta({ example: 'structured' }),
    batch: z
      .boolean()
      .default(false)
      .describe(
        'Send each request as a JSON list of one or more bodies: changes that come faster than the receiver accepts them go together. CloudEvents use their batch format.',
      )
      .meta({ example: true }),
    maxBodyBytes: z
      .int()
      .min(1_024)
      .max(64 * 1024 * 1024)
      .default(1_048_576)
      .describe(
        'The longest body that is sent. The JSON of a change leaves out manifests to fit, and says so; a longer body of your own makes the change a dead letter.',
      )
      .meta({ example: 262_144 }),
    secret: signingSecrets
      .optional()
      .describe(
        'Signs each request as in Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`): 24 to 64 random bytes as base64, as `openssl rand -base64 32` creates them, with or without the prefix `whsec_`. Set two while one replaces the other: receivers accept either.',
      )
      .meta({ example: '${WEBHOOK_SECRET}' }),
    verdict: z
      .boolean()
      .default(false)
      .describe(
        'Let the receiver decide: it gets the request of the [plug-in contract](../plugins.md), and its answer passes the change, halts it, or leaves notes for later handlers. An empty answer passes.',
      )
      .meta({ example: true }),
    accepted: patterns
      .optional()
      .describe(
        'What an answer from 200 to 299 contains when the message was accepted: a regular expression in RE2 syntax, matched anywhere in its first 64 KiB. Any other answer is a failed attempt. For receivers that refuse with status 200; without it only the status counts.',
      )
      .meta({ example: '"errcode":\\s*0\\b' }),
    ...reach,
  })
  .superRefine(({ layout, body, batch, cloudEvents, verdict, headers, path, query, accepted }, context) => {
    const refuse = (path: readonly (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', message, path: [...path] });
    if (layout !== undefined && body !== undefined) {
      refuse(['body'], 'cannot be combined with layout: one of them is the body');
    }
    for (const [key, given] of Object.entries({ layout, body, cloudEvents, batch: batch || undefined })) {
      if (verdict && given !== undefined)
        refuse([key], 'cannot be combined with verdict, which sends the request of the plug-in contract');
    }
    if (verdict && accepted !== undefined)
      refuse(['accepted'], 'cannot be combined with verdict, whose answer is that of the plug-in contract');
    if (!batch) return;
    if (body !== undefined) refuse(['body'], 'cannot be combined with batch, whose requests are lists: use layout');
    if (cloudEvents === 'binary')
      refuse(['cloudEvents'], 'must be "structured" with batch: in binary mode a request holds one event');
    for (const [option, values] of Object.entries({ headers, path, query })) {
      for (const [name, value] of Object.entries(values)) {
        if (!isTemplate(value)) continue;
        const key = option === 'path' ? Number(name) : name;
        refuse([option, key], 'must not be a template with batch: one request holds several changes');
      }
    }
  });

export type Options = z.output<typeof options>;
