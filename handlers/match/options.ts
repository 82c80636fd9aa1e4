/** The tests that a configuration may name. */
import { z } from 'zod';
import { patterns } from '../../src/config/fields.ts';
import { fieldPath, pathProblem } from '../diff/options.ts';

const text = (description: string, example: string) => patterns.optional().describe(description).meta({ example });

/** By field path. The keys are checked here, because a record's own key check would not say what is wrong. */
const byFieldPath = z.record(z.string(), patterns).superRefine((table, context) => {
  for (const path of Object.keys(table)) {
    const problem = pathProblem(path);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem, path: [path] });
  }
});

const actions = z.enum(['added', 'updated', 'deleted']);

/** The tests that can be made on a change. */
export const tests = z.strictObject({
  kind: text('The kind, in any case of letters.', '^(Deployment|StatefulSet)$'),
  apiVersion: text('Group and version, as in a manifest.', '^apps/'),
  namespace: text('The namespace. What has none does not match.', '^team-'),
  objectName: text('The name of the object.', '^web$'),
  labels: z
    .record(z.string(), patterns)
    .optional()
    .describe(
      'Values of labels, each by its name; of a Kubernetes Event those of the object it is about. All of them must match.',
    )
    .meta({ example: { tier: '^web$' } }),
  annotations: z
    .record(z.string(), patterns)
    .optional()
    .describe('Values of annotations, as `labels`.')
    .meta({ example: { 'example.com/owner': '@shop$' } }),
  namespaceLabels: z
    .record(z.string(), patterns)
    .optional()
    .describe(
      'Values of labels of the namespace, as `labels`; of a Kubernetes Event of that of the object it is about.',
    )
    .meta({ example: { team: '^shop$' } }),
  action: z
    .union([actions, z.array(actions).min(1)])
    .optional()
    .describe('What happened: exactly one of these words, no pattern.')
    .meta({ example: ['added', 'deleted'] }),
  changed: z
    .union([fieldPath, z.array(fieldPath).min(1)])
    .optional()
    .describe(
      'Paths of fields, with `*` and `**`, as `diff` shows and takes them: an update matches when at least one such field, or one in it, differs. It needs no `diff` before it, and what `diff` keeps quiet about counts too.',
    )
    .meta({ example: ['spec.replicas', 'spec.template.spec.containers[*].image'] }),
  field: byFieldPath
    .optional()
    .describe(
      'Values of fields, each by its path; what has a name goes by it, `containers[web]`, not `containers[0]`. All paths must match, each with any value that it leads to; a number or boolean matches as it is written, a list or table as JSON.',
    )
    .meta({ example: { 'spec.type': '^LoadBalancer$' } }),
  involvedKind: text('Of a Kubernetes Event: the kind of the object it is about, in any case of letters.', '^Pod$'),
  involvedName: text('Of a Kubernetes Event: the name of the object it is about.', '^web-'),
  involvedNamespace: text('Of a Kubernetes Event: the namespace of the object it is about.', '^shop$'),
  involvedApiVersion: text(
    'Of a Kubernetes Event: group and version of the object it is about, as in a manifest.',
    '^apps/',
  ),
  ownerKind: text(
    'The kind of the top owner, pod -> replica set -> deployment, in any case of letters; what nobody owns is its own. Of a Kubernetes Event that of the object it is about.',
    '^Deployment$',
  ),
  ownerName: text('The name of the top owner.', '^web$'),
  reason: text('Of a Kubernetes Event: the reason.', '^(BackOff|Failed)$'),
  type: text('Of a Kubernetes Event: `Normal` or `Warning`.', '^Warning$'),
  component: text('Of a Kubernetes Event: the component that reported it.', '^kubelet$'),
  host: text('Of a Kubernetes Event: the host that reported it.', '^node-1$'),
  minCount: z
    .int()
    .min(1)
    .optional()
    .describe('Of a Kubernetes Event: how often it has happened, at least; see `repeats` of the resource.')
    .meta({ example: 3 }),
  message: text('Of a Kubernetes Event: the message.', '(?i)out of memory'),
});

/** The tests of a configuration, as parsed by the schema. */
export type Tests = z.output<typeof tests>;

/** All tests, of which at least one must be given, and how they are combined. */
export const options = tests
  .extend({
    drop: z.boolean().default(false).describe('Hold back what matches, and let the rest pass.').meta({ example: true }),
    absentIsEmpty: z
      .boolean()
      .default(false)
      .describe('What is absent is compared as the empty text; not so labels and annotations, which must be there.')
      .meta({ example: true }),
  })
  .superRefine((given, context) => {
    const names = tests.keyof().options;
    if (names.some((name) => given[name] !== undefined)) return;
    context.addIssue({ code: 'custom', message: `must have at least one test: ${names.join(', ')}` });
  });
