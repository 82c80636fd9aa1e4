/** The tests that a configuration may name. */
import { z } from 'zod';
import { patterns } from '../../src/config/fields.ts';
import { template } from '../../src/template/fields.ts';
import { isTemplate } from '../../src/template/template.ts';
import { fieldPath, pathProblem } from '../diff/options.ts';

const text = (description: string, example: string) => patterns.optional().describe(description).meta({ example });
const textsByName = (description: string, example: Readonly<Record<string, string>>) =>
  z.record(z.string(), patterns).optional().describe(description).meta({ example });

/** By field path. The keys are checked here, because a record's own key check would not say what is wrong. */
const byFieldPath = z.record(z.string(), patterns).superRefine((table, context) => {
  for (const path of Object.keys(table)) {
    const problem = pathProblem(path);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem, path: [path] });
  }
});

/** A text that reads nothing, such as an expression without its braces, would always hold. */
const when = template.refine(isTemplate, {
  error: 'must be a template: put the condition between {{ and }}, as in {{ change.action == "deleted" }}',
});

const actions = z.enum(['added', 'updated', 'deleted']);

/** The tests that can be made on a change. */
export const tests = z.strictObject({
  kind: text('The kind, in upper or lower case.', '^(Deployment|StatefulSet)$'),
  apiVersion: text('Group and version, as in a manifest.', '^apps/'),
  namespace: text('The namespace. An object without one does not match.', '^team-'),
  objectName: text('The name of the object.', '^web$'),
  labels: textsByName(
    'Values of labels, by name; for a Kubernetes Event, those of the involved object. All of them must match.',
    { tier: '^web$' },
  ),
  annotations: textsByName('Values of annotations, like `labels`.', { 'example.com/owner': '@shop$' }),
  namespaceLabels: textsByName(
    "Values of the namespace's labels, like `labels`; for a Kubernetes Event, of the involved object's namespace.",
    { team: '^shop$' },
  ),
  action: z
    .union([actions, z.array(actions).min(1)])
    .optional()
    .describe('What happened: exactly one of these words, not a pattern.')
    .meta({ example: ['added', 'deleted'] }),
  by: text(
    'Who made the change, as messages say it: the field managers that the API server recorded, such as `kubectl-edit`, `helm` or `argocd-controller`; after `diff`, those of the differences that are left. A change matches when any of them does. The value is absent where the API server records nobody: for deletions, and for updates that only remove fields without server-side apply.',
    '^kubectl',
  ),
  changed: z
    .union([fieldPath, z.array(fieldPath).min(1)])
    .optional()
    .describe(
      'Field paths, with `*` and `**`, as in `diff`: an update matches when at least one of these fields, or a field below it, differs. It needs no `diff` before it, and fields that are quiet in `diff` count too.',
    )
    .meta({ example: ['spec.replicas', 'spec.template.spec.containers[*].image'] }),
  field: byFieldPath
    .optional()
    .describe(
      'Values of fields, by path. List items that have a name go by it: `containers[web]`, not `containers[0]`. All paths must match, each with any value that it leads to. A number or boolean matches as it is written, a list or table as JSON.',
    )
    .meta({ example: { 'spec.type': '^LoadBalancer$' } }),
  notes: byFieldPath
    .optional()
    .describe(
      'What earlier handlers found out, by path like `field`: `change.notes` of [templates](../templates.md), such as the level of an alert of `podAlerts` or the headline of `diff`.',
    )
    .meta({ example: { 'alert.level': '^Failure$' } }),
  when: when
    .optional()
    .describe(
      'A condition as a [template](../templates.md), for what patterns cannot say: one test or another, a comparison of two fields, a limit for a number. It holds unless the template yields nothing or `false`.',
    )
    .meta({ example: '{{ change.after.spec.replicas < change.before.spec.replicas }}' }),
  involvedKind: text('For Kubernetes Events: the kind of the involved object, in upper or lower case.', '^Pod$'),
  involvedName: text('For Kubernetes Events: the name of the involved object.', '^web-'),
  involvedNamespace: text('For Kubernetes Events: the namespace of the involved object.', '^shop$'),
  involvedApiVersion: text(
    'For Kubernetes Events: group and version of the involved object, as in a manifest.',
    '^apps/',
  ),
  ownerKind: text(
    'The kind of the top owner, pod -> replica set -> deployment, in upper or lower case; an object without an owner is its own. For a Kubernetes Event, that of the involved object.',
    '^Deployment$',
  ),
  ownerName: text('The name of the top owner.', '^web$'),
  reason: text('For Kubernetes Events: the reason.', '^(BackOff|Failed)$'),
  type: text('For Kubernetes Events: `Normal` or `Warning`.', '^Warning$'),
  component: text('For Kubernetes Events: the component that reported it.', '^kubelet$'),
  host: text('For Kubernetes Events: the host that reported it.', '^node-1$'),
  minCount: z
    .int()
    .min(1)
    .optional()
    .describe('For Kubernetes Events: the minimum number of occurrences; see `repeats` of the resource.')
    .meta({ example: 3 }),
  message: text('For Kubernetes Events: the message.', '(?i)out of memory'),
});

/** The tests of a configuration, as parsed by the schema. */
export type Tests = z.output<typeof tests>;

/** The tests that only Kubernetes Events meet. */
export const EVENT_TESTS = {
  involvedKind: true,
  involvedName: true,
  involvedNamespace: true,
  involvedApiVersion: true,
  reason: true,
  type: true,
  component: true,
  host: true,
  minCount: true,
  message: true,
} as const satisfies Partial<Record<keyof Tests, true>>;

/** Refuses options without any of these tests. */
export function requireOneOf(tests: z.ZodObject) {
  const names = Object.keys(tests.shape);
  return (given: Readonly<Record<string, unknown>>, context: z.RefinementCtx): void => {
    if (names.some((name) => given[name] !== undefined)) return;
    context.addIssue({ code: 'custom', message: `must have at least one test: ${names.join(', ')}` });
  };
}

/** All tests, of which at least one must be given, and how they are combined. */
export const options = tests
  .extend({
    drop: z.boolean().default(false).describe('Halt what matches, and pass the rest.').meta({ example: true }),
    absentIsEmpty: z
      .boolean()
      .default(false)
      .describe(
        'Treat an absent value as an empty string. This does not apply to labels and annotations, which must be present.',
      )
      .meta({ example: true }),
  })
  .superRefine(requireOneOf(tests));
