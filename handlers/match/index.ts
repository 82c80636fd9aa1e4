import type { Change } from '../../src/change.ts';
import { defineTransform, halt, type Halt, type HandlerContext } from '../../src/chain/handler.ts';
import { conditionsOf, questionsOf, type Outcome } from './conditions.ts';
import { options } from './options.ts';

export default defineTransform({
  name: 'match',
  summary: 'Lets through, or holds back, what matches all of its tests.',
  description: [
    'A change matches when every given test holds; a list means any of its members. A change that does not match halts, and the reason names the test and the value that failed it. With `drop = true` it is the other way round.',
    'Patterns are regular expressions in RE2 syntax, found anywhere in the value unless anchored with `^` and `$`, case-sensitive unless they begin with `(?i)`; only the first 64 KiB of a value are looked at. What is absent matches no pattern. A deleted object is tested by its last known manifest.',
    'Of a Kubernetes Event `labels`, `annotations`, `ownerKind` and `ownerName` are those of the object that it involves. They are tested last: where that object is not watched the cluster is asked for it, and only for what passed the other tests (see [Kubernetes Events](../events.md)).',
    '`namespaceLabels` are those of the namespace of any change, and asked for in the same way.',
    'Several `match` with `drop = true` hold back what matches any of them; what shall pass for either of two reasons needs two chains.',
  ].join('\n\n'),
  options,
  examples: [
    {
      title: 'Only Events that say that a cluster upgrade begins',
      toml: '[[handler]]\nname = "match"\ninvolvedKind = "Cluster"\nreason = "^ClusterIsUpdating$"\n',
    },
    {
      title: 'What goes wrong with the pods of one deployment',
      toml: '[[handler]]\nname = "match"\ninvolvedKind = "^Pod$"\ntype = "^Warning$"\nownerKind = "^Deployment$"\nownerName = "^web$"\n',
    },
    {
      title: 'Whatever is in a namespace of the shop team, by its label',
      toml: '[[handler]]\nname = "match"\nnamespaceLabels = { team = "^shop$" }\n',
    },
    {
      title: 'Nothing of the system, in any of two places',
      toml: '[[handler]]\nname = "match"\nnamespace = ["^kube-", "^openshift-"]\ndrop = true\n',
    },
    {
      title: 'Only new images and scaling, of what the shop team owns',
      toml: '[[handler]]\nname = "match"\nlabels = { team = "^shop$" }\nchanged = ["spec.replicas", "spec.template.spec.containers[*].image"]\n',
    },
    {
      title: 'Only Services that are open to the world',
      toml: '[[handler]]\nname = "match"\nkind = "^Service$"\nfield."spec.type" = "^LoadBalancer$"\n',
    },
  ],
  asks: questionsOf,
  create({ drop, absentIsEmpty, ...given }) {
    const conditions = conditionsOf(given, absentIsEmpty);
    return { handle: (change, context) => judge(change, context, 0, []) };

    /** A promise only if the cluster has to be asked: what is decided at once needs no deadline. */
    function judge(change: Change, context: HandlerContext, from: number, held: readonly string[]): Verdict {
      const condition = conditions[from];
      if (condition === undefined) return drop ? halt(`dropped: ${held.join(', ')}`) : change;
      const goOn = ({ holds, why }: Outcome): Verdict => {
        if (holds) return judge(change, context, from + 1, [...held, why]);
        return drop ? change : halt(why);
      };
      const outcome = condition(change, context);
      return outcome instanceof Promise ? outcome.then(goOn) : goOn(outcome);
    }
  },
});

type Verdict = Change | Halt | Promise<Change | Halt>;
