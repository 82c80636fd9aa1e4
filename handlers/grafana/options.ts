/** The options of a Grafana sink. */
import { z } from 'zod';
import { httpUrl } from '../../src/config/fields.ts';
import { bearerToken, reach } from '../../src/delivery/fields.ts';
import { template } from '../../src/template/fields.ts';

/** Options that only one of the two formats has. */
const OF_FORMAT = {
  annotation: ['text', 'time', 'timeEnd', 'dashboardUID', 'panelId'],
  graphite: ['what', 'data', 'when'],
} as const;

export const options = z
  .strictObject({
    url: httpUrl("must be Grafana's own https:// or http:// URL")
      .refine(
        (url) => !url.includes('/api/annotations'),
        "must be Grafana's own URL, without /api/annotations: format chooses the path",
      )
      .describe("Grafana's own URL, without `/api/annotations`.")
      .meta({ example: 'https://grafana.example' }),
    token: bearerToken
      .describe('Token of a service account that may write annotations.')
      .meta({ example: '${GRAFANA_TOKEN}' }),
    format: z
      .enum(['annotation', 'graphite'])
      .default('annotation')
      .describe('`annotation` posts to `/api/annotations`, `graphite` to `/api/annotations/graphite`.')
      .meta({ example: 'graphite' }),
    tags: z
      .array(template)
      .default([
        'watchchain',
        '{{ change.notes.alert.owner.kind | default: change.kind }}',
        '{{ change.namespace }}',
        '{{ change.notes.alert.owner.name | default: change.name }}',
        '{{ change.notes.alert.status | default: change.action }}',
      ])
      .describe(
        'Tags, each a template; one that yields nothing is left out. By default an alert has those of its workload, and `firing` or `resolved`. Each is visibly cut at the 100 characters that Grafana accepts; of `key:value`, each part is. Grafana refuses an annotation if all of its tags together, with 3 more for each, have more than 500 bytes; its setting `tags_length` allows more.',
      )
      .meta({ example: ['deploy', '{{ change.namespace }}'] }),
    text: template
      .optional()
      .describe('For `annotation`: the text, a template. Default: the headline of the change.')
      .meta({ example: '{{ change.headline }}' }),
    time: template
      .optional()
      .describe(
        'For `annotation`: the start time, as RFC 3339 or in milliseconds since 1970, a template. Default: when a Kubernetes Event last happened, or when any other change was seen.',
      )
      .meta({ example: '{{ event.firstTimestamp }}' }),
    timeEnd: template
      .optional()
      .describe('For `annotation`: the end time, as `time`. Default: none, the annotation is a point in time.')
      .meta({ example: '{{ event.lastTimestamp }}' }),
    dashboardUID: template
      .optional()
      .describe(
        'For `annotation`: the dashboard, a template. Default: none, the annotation belongs to the organisation and is found by tags.',
      )
      .meta({ example: 'jcIIG-07z' }),
    panelId: z
      .union([z.int(), template])
      .optional()
      .describe('For `annotation`: the panel of that dashboard, a number or a template.')
      .meta({ example: 2 }),
    what: template
      .optional()
      .describe('For `graphite`: the title, a template. Default: the headline of the change.')
      .meta({ example: '{{ event.involvedObject.kind }} - {{ event.reason }}' }),
    data: template
      .optional()
      .describe('For `graphite`: the text, a template. Default: none.')
      .meta({ example: '{{ event.message }}' }),
    when: template
      .optional()
      .describe('For `graphite`: the time, as `time`. `""` for the time of arrival.')
      .meta({ example: '{{ event.firstTimestamp }}' }),
    ...reach,
  })
  .superRefine((given, context) => {
    const other = given.format === 'graphite' ? 'annotation' : 'graphite';
    for (const option of OF_FORMAT[other]) {
      if (given[option] === undefined) continue;
      context.addIssue({ code: 'custom', message: `applies to format = "${other}" only`, path: [option] });
    }
    if (given.panelId !== undefined && given.dashboardUID === undefined) {
      context.addIssue({ code: 'custom', message: 'is missing: panelId requires it', path: ['dashboardUID'] });
    }
  });

export type Options = z.output<typeof options>;
