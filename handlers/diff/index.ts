/** `diff`: what really changed; halts if nothing did. */
import { withNote } from '../../src/change/lazy-change.ts';
import { defineTransform, halt } from '../../src/chain/handler.ts';
import { diffFields } from './fields.ts';
import { createNote } from './note.ts';
import { options } from './options.ts';
import { createRuleBook, interestOf } from './rules.ts';

export default defineTransform({
  name: 'diff',
  summary: 'Tells which fields of an object really changed, and halts an update that changed none.',
  description: `Compares the object before and after an update, of every kind, and leaves the difference for the handlers behind it:
a line for each field (\`path: old -> new\`), a headline, a unified diff of what does not fit on a line, and an RFC 6902 patch.
Objects that were created or deleted are passed on as they are.

Items of lists are matched by the merge key that Kubernetes uses for them, else by a unique \`name\`, else by content and place. A list
in another order is one line.

Quiet by default, each with its own switch: the status, the generation, the resource version, \`kubectl apply\`'s copy of the
manifest, controllers' revision annotations, absent against empty labels, annotations, finalizers and owners, null against
absent. managedFields never reach a handler; who they say did it stands beside the diff. Nothing else is quiet: an empty
\`namespaceSelector\` differs from none. An object that is being deleted shows as terminating.

Halts with \`no difference\` when nothing is left, so that handlers behind it see real changes only, and with the name of the
annotation when the object has opted out.`,
  gate: true,
  options,
  examples: [
    { title: 'What really changed', toml: '[[handler]]\nname = "diff"\n' },
    {
      title: 'Without what autoscalers and sidecar injectors do',
      toml: `[[handler]]
name = "diff"
ignore = ["metadata.annotations[\\"example.com/*\\"]", "spec.template.spec.containers[istio-proxy]"]
  [handler.kinds.Deployment]
  ignore = ["spec.replicas"]
`,
    },
    {
      title: 'Images and the phase, nothing else',
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
        if (fields.length === 0) return halt('no difference');
        return withNote(change, 'diff', createNote(fields, { before, after, rules: counted, by: change.by }));
      },
    };
  },
});
