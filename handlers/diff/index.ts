/** `diff`: what really changed; halts if nothing did. */
import { withNote } from '../../src/change/lazy-change.ts';
import { defineTransform, halt } from '../../src/chain/handler.ts';
import { diffFields } from './fields.ts';
import { createNote } from './note.ts';
import { options } from './options.ts';
import { createRuleBook, interestOf, unusedKinds } from './rules.ts';

export default defineTransform({
  name: 'diff',
  summary: 'Shows which fields of an object really changed, and halts an update that changed none.',
  description: `Compares objects of any kind before and after an update, and leaves the difference for later handlers:
a line for each field (\`path: old -> new\`), a headline, a unified diff of what does not fit on a line, and an RFC 6902 patch.
Created and deleted objects pass unchanged.

List items are matched by the merge key that Kubernetes uses for them, else by a unique \`name\` (rules of a PrometheusRule by
\`alert\` or \`record\`), else by content and position. A list whose order changed is one line. JSON on one line, such as a packed
dashboard, is compared as if each of its fields had a line.

Quiet by default, each with its own switch: the status, the generation, the resource version, \`kubectl apply\`'s copy of the
manifest, controllers' revision annotations, absent against empty labels, annotations, finalizers and owners, null against
absent. managedFields never reach a handler; the diff names the managers they list. Nothing else is quiet: an empty
\`namespaceSelector\` differs from none. An object that is being deleted shows as terminating.

Halts with \`no difference\` when nothing is left, so that later handlers see only real changes, and with the name of the
annotation when the object has opted out. What [\`lasting\`](lasting.md) reports passes even if nothing is left.`,
  gate: true,
  options,
  idle: (given, kinds) => unusedKinds(given, kinds).map((kind) => `has rules for a kind "${kind}"`),
  examples: [
    { title: 'What really changed', toml: '[[handler]]\nname = "diff"\n' },
    {
      title: 'Without the changes of autoscalers and sidecar injectors',
      toml: `[[handler]]
name = "diff"
ignore = ["metadata.annotations[\\"example.com/*\\"]", "spec.template.spec.containers[istio-proxy]"]
  [handler.kinds.Deployment]
  ignore = ["spec.replicas"]
`,
    },
    {
      title: 'Without the versions that a Helm upgrade writes into the labels of every object',
      toml: `[[handler]]
name = "diff"
ignore = ["**.labels[\\"helm.sh/chart\\"]", "**.labels[\\"app.kubernetes.io/version\\"]"]
`,
    },
    {
      title: 'Only images and the phase',
      toml: '[[handler]]\nname = "diff"\nonly = ["spec.**.image", "status.phase"]\n',
    },
  ],
  reads: interestOf,
  create(options) {
    const rules = createRuleBook(options);
    return {
      handle(change) {
        const { before, after } = change;
        if (before === undefined || after === undefined) return change;
        const counted = rules.rulesFor(change);
        if (counted === undefined)
          return halt(`the object has opted out by its annotation ${options.optOutAnnotation}`);
        const fields = diffFields(before, after, counted);
        // What `lasting` reports is news whatever differs.
        if (fields.length === 0) return change.notes.lasting === undefined ? halt('no difference') : change;
        return withNote(change, 'diff', createNote(fields, { before, after, rules: counted, by: change.by }));
      },
    };
  },
});
