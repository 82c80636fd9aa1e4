import type { Change } from '../../src/change.ts';
import { defineTransform, halt, type Halt } from '../../src/chain/handler.ts';
import type { Outcome } from './all-of.ts';
import { clusterQuestionsOf, conditionOf } from './conditions.ts';
import { whyNoneHolds } from './idle.ts';
import { options } from './options.ts';

export default defineTransform({
  name: 'match',
  summary: 'Passes changes that match all of its tests, or halts them.',
  description: [
    'A change matches when every given test holds; a list matches if any of its members does. A change that does not match halts, and the reason names the test and the value that failed it. With `drop = true` it is the other way round.',
    'Patterns are regular expressions in RE2 syntax. They match anywhere in the value unless anchored with `^` and `$`, are case-sensitive unless they begin with `(?i)`, and see only the first 64 KiB of a value. An absent value matches no pattern. A deleted object is tested by its last known manifest.',
    'For a Kubernetes Event, `labels`, `annotations`, `ownerKind` and `ownerName` are those of the involved object. They are tested last: if that object is not watched, the cluster is asked for it, but only when all other tests hold (see [Kubernetes Events](../events.md)).',
    '`namespaceLabels` are those of the namespace of any change. They are looked up in the same way.',
    '`when` is for what patterns cannot say. It is tested after them. If it reads `involved`, it is tested last, because the cluster may have to be asked. If the template fails for a change, for example at a limit, the change becomes a dead letter.',
    'Several `match` handlers with `drop = true` halt what matches any of them. To pass changes for either of two reasons, use two chains, or `when`.',
  ].join('\n\n'),
  options,
  looksUpInvolved: true,
  examples: [
    {
      title: 'Only Events that announce a cluster upgrade',
      toml: '[[handler]]\nname = "match"\ninvolvedKind = "Cluster"\nreason = "^ClusterIsUpdating$"\n',
    },
    {
      title: 'Warnings about the pods of one deployment',
      toml: '[[handler]]\nname = "match"\ninvolvedKind = "^Pod$"\ntype = "^Warning$"\nownerKind = "^Deployment$"\nownerName = "^web$"\n',
    },
    {
      title: 'Everything in the namespaces of the shop team, by label',
      toml: '[[handler]]\nname = "match"\nnamespaceLabels = { team = "^shop$" }\n',
    },
    {
      title: 'Nothing from system namespaces',
      toml: '[[handler]]\nname = "match"\nnamespace = ["^kube-", "^openshift-"]\ndrop = true\n',
    },
    {
      title: 'Only new images and scaling, for objects of the shop team',
      toml: '[[handler]]\nname = "match"\nlabels = { team = "^shop$" }\nchanged = ["spec.replicas", "spec.template.spec.containers[*].image"]\n',
    },
    {
      title: 'Only Services that are exposed to the outside',
      toml: '[[handler]]\nname = "match"\nkind = "^Service$"\nfield."spec.type" = "^LoadBalancer$"\n',
    },
    {
      title: 'Only Deployments that are paused or scaled down',
      toml: '[[handler]]\nname = "match"\nchanged = ["spec.paused", "spec.replicas"]\nwhen = "{{ change.after.spec.paused or change.after.spec.replicas < change.before.spec.replicas }}"\n',
    },
    {
      title: 'Only changes of quotas that are nearly used up',
      toml: '[[handler]]\nname = "match"\nkind = "^ResourceQuota$"\nwhen = """\n{% assign used = change.after.status.used.pods | quantity %}\n{% assign warnAt = change.after.status.hard.pods | quantity | times: 0.9 %}\n{{ used >= warnAt }}"""\n',
    },
    {
      title: 'Only alerts of podAlerts that are failures, after `podAlerts` or in a branch behind it',
      toml: '[[handler]]\nname = "match"\nnotes."alert.level" = "^Failure$"\n',
    },
  ],
  asks: clusterQuestionsOf,
  idle({ drop, absentIsEmpty, ...tests }, kinds) {
    const why = absentIsEmpty ? undefined : whyNoneHolds(tests, kinds);
    return why === undefined ? [] : [`${drop ? 'drops nothing' : 'halts everything'}: ${why}`];
  },
  create({ drop, absentIsEmpty, ...tests }) {
    const condition = conditionOf(tests, absentIsEmpty);
    const verdictOn = (change: Change, { holds, why }: Outcome): Change | Halt => {
      if (holds === drop) return halt(drop ? `dropped: ${why}` : why);
      return change;
    };
    return {
      handle(change, context) {
        const outcome = condition(change, context);
        return outcome instanceof Promise
          ? outcome.then((later) => verdictOn(change, later))
          : verdictOn(change, outcome);
      },
    };
  },
});
