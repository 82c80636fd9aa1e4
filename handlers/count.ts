import { z } from 'zod';
import { defineSink } from '../src/chain/handler.ts';
import type { Change } from '../src/change.ts';
import { shortened } from '../src/text/printable.ts';
import { templates } from '../src/template/fields.ts';
import { scopeOf } from '../src/template/scope.ts';
import { compileTemplate } from '../src/template/template.ts';

const MAX_VALUE_CHARS = 128;

const LABEL_NAME = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;
const LABEL_NAME_RULE = 'must be letters, digits and "_", and not begin with a digit or "__"';

const options = z.strictObject({
  metric: z
    .string()
    .regex(/^(?!watchchain_|process_|nodejs_)[a-zA-Z_][a-zA-Z0-9_]*_total$/, {
      error:
        'must be letters, digits and "_", end in "_total", and not begin with "watchchain_", "process_" or "nodejs_"',
    })
    .describe('Name of the counter. As Prometheus expects, it ends in `_total`.')
    .meta({ example: 'kubernetes_events_total' }),
  help: z
    .string()
    .default('Changes counted by the handler count')
    .describe('What the counter means, for people who look at `/metrics`.')
    .meta({ example: 'Events by reason' }),
  labels: templates
    .superRefine((labels, context) => {
      for (const name of Object.keys(labels).filter((label) => !LABEL_NAME.test(label)))
        context.addIssue({ code: 'custom', message: `the name "${name}" ${LABEL_NAME_RULE}` });
    })
    .default({})
    .describe(
      'Labels by name; each value is a [template](../templates.md). Default: none, so everything is one number.',
    )
    .meta({ example: { reason: '{{ event.reason }}', namespace: '{{ change.namespace }}' } }),
});

export default defineSink({
  name: 'count',
  summary: 'Counts changes by labels of your choice, as a Prometheus metric.',
  description: [
    'The metric is served at `/metrics`. Every change passes and counts 1; put [`match`](match.md) before it to count only some. A retry of the chain does not count a change again. Like every counter of Prometheus, it starts at 0 with the process. A reload of the configuration keeps its value, unless no handler counts it any more.',
    'Choose labels that have few values, such as reasons, kinds and namespaces, but no names of pods. There are at most 1,000 combinations of values for a metric; a new one beyond that is counted with the value `other` in every label, and the log says so. A value is cut after 128 characters.',
    'Handlers with the same `metric` add to the same counter, and must have the same labels. Changes of an object that were merged because they waited for long count as one, and not at all if they cancel out: set `coalesce = false` for a chain that counts and has slow receivers.',
  ].join('\n\n'),
  options,
  examples: [
    {
      title: 'Kubernetes Events by reason and namespace',
      toml: '[[handler]]\nname = "count"\nmetric = "kubernetes_events_total"\n[handler.labels]\ntype = "{{ event.type }}"\nreason = "{{ event.reason }}"\nnamespace = "{{ change.namespace }}"\n',
    },
    {
      title: 'All changes by kind and what happened',
      toml: '[[handler]]\nname = "count"\nmetric = "kubernetes_changes_total"\n[handler.labels]\nkind = "{{ change.kind }}"\naction = "{{ change.action }}"\n',
    },
  ],
  create({ metric, help, labels }, { id, counters, log }) {
    const counter = counters.counter({ name: metric, help, labelNames: Object.keys(labels), handler: id });
    const compiled = Object.entries(labels).map(
      ([label, source]) => [label, compileTemplate(source, `labels.${label}`)] as const,
    );
    const valuesOf = (change: Change): Record<string, string> => {
      const scope = scopeOf(change);
      return Object.fromEntries(
        compiled.map(([label, value]) => [label, shortened(value.text(scope), MAX_VALUE_CHARS)]),
      );
    };
    let isOverflowing = false;
    return {
      async deliver(change) {
        if (counter.add(valuesOf(change)) || isOverflowing) return;
        isOverflowing = true;
        log.warn('A metric has too many combinations of label values: new ones are counted as "other"', { metric });
      },
      preview(change) {
        const values = Object.entries(valuesOf(change)).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
        return `${metric}{${values.join(', ')}} + 1`;
      },
      stop: async () => counter.release(),
    };
  },
});
