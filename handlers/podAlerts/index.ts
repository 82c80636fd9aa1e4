import { defineStateful, isHalt, type StatefulContext } from '../../src/chain/handler.ts';
import type { Change } from '../../src/change.ts';
import { isEvent } from '../../src/event.ts';
import type { ClassifyOptions } from './classify.ts';
import { canForget, nextWakeAt, type Rules } from './decide.ts';
import { recheckPods } from './recheck.ts';
import { compileMute } from './mute.ts';
import { classifyOptionsOf, options, rulesOf, type Options } from './options.ts';
import { groupOf, ownerOfNode, type Owner } from './owner.ts';
import { withoutReplaced } from './replaced.ts';
import { asObserved, sightingOf } from './sighting.ts';
import { EMPTY, isPodFailing, withoutExpired, withSighting, withEventProblem, type GroupState } from './state.ts';
import { failingKindIn, findOwner, podRefOf, findEventPod } from './subject.ts';
import { reportWorst, type ReportInput } from './report.ts';
import { eventProblemOf } from './event-problem.ts';

export default defineStateful<typeof options, GroupState>({
  name: 'podAlerts',
  summary:
    'Alerts on pods that crash, do not start or restart too often: once per workload, and again when it is over.',
  description: [
    'Changes of pods go in, and of nodes, jobs and Kubernetes Events if the chain watches them; alerts come out. An alert is the change that led to it, with a note `alert` that the sinks show: workload, pod, container, node, image, reason, exit code and signal, restarts, start time, the last Events of the pod, the end of the log, and what was changed before and by whom. Everything else halts, each with its reason. No option is required.',
    'It reports, for every container, init containers too: `CrashLoopBackOff`, `ImagePullBackOff` and any other waiting state that does not resolve, `OOMKilled`, and `restarts` restarts within `window`. It reports pods that have failed, were evicted, fit no node for `unschedulableFor` or are pending for `pendingFor`, and those that run for `notReadyFor` without being ready; nodes that are not ready; and jobs that fail. From Events it reports volumes that cannot be mounted, pod networks that cannot be set up, and containers that a liveness or startup probe kills. It does not report what is expected: pods that complete, are deleted, scaled down, drained or preempted, and what fails on a node that is itself reported as not ready.',
    'Pods are grouped by what people deploy: the Deployment behind a ReplicaSet, the CronJob behind a Job. A workload has one alert at a time, however many of its pods fail. The alert is sent when it begins, when a warning becomes a failure, every `remindAfter`, and when none of its pods has failed for `holdDown`. `change.notes.alert.fingerprint` is the same in all of these.',
    'The annotation `watchchain/mute` on a pod, or on a watched workload, mutes alerts: `"true"`, or the time until which to mute. What still fails at that time is reported then. The recent changes in an alert come from the kinds that any chain watches; a chain that only provides them may have no sink. See [pods](../pods.md).',
  ].join('\n\n'),
  options,
  needs: () => ['status'],
  idle: (_, kinds) =>
    kinds.some((kind) => isEvent(kind) || failingKindIn(kind) !== undefined)
      ? []
      : ['reports nothing: it needs pods, nodes, jobs or Events'],
  examples: [
    { title: 'Everything it can report, without any option', toml: '[[handler]]\nname = "podAlerts"\n' },
    {
      title: 'Sooner, without an autoscaler, and without sandbox namespaces',
      toml: '[[handler]]\nname = "podAlerts"\nrestarts = 3\nwindow = "15m"\npendingFor = "2m"\nunschedulableFor = "1m"\nnotReadyFor = "5m"\n\n[[handler.mute]]\nnamespace = "^sandbox-"\n',
    },
    {
      title: "Counting like OpenShift's Pod Watcher",
      toml: '[[handler]]\nname = "podAlerts"\nrestarts = 5\nwindow = "4h"\n',
    },
  ],
  asks: ({ logLines, events }) => ({
    access: [
      ...(logLines > 0 ? [{ group: '', resource: 'pods/log', verbs: ['get'] }] : []),
      ...(events > 0 ? [{ group: '', resource: 'events', verbs: ['list'] }] : []),
    ],
  }),
  create(given) {
    const classify = classifyOptionsOf(given);
    const alerts = new PodAlerts(given, classify);
    return {
      group: async (change, context) => {
        const owner = await findOwner(change, classify, context);
        return isHalt(owner) ? owner : groupOf(owner);
      },
      handle: (change, context) => alerts.handle(change, context),
    };
  },
});

class PodAlerts {
  readonly #options: Options;
  readonly #classify: ClassifyOptions;
  readonly #rules: Rules;
  readonly #mute: ReportInput['mute'];

  constructor(given: Options, classify: ClassifyOptions) {
    this.#options = given;
    this.#classify = classify;
    this.#rules = rulesOf(given);
    this.#mute = compileMute(given.mute);
  }

  async handle(change: Change, context: StatefulContext<GroupState>) {
    const { now } = context;
    const before = context.state ?? EMPTY;
    const state = withoutExpired(await this.#update(before, change, context), now, this.#rules.restarts);
    // Without an owner nothing is known of the group, and nothing is sent.
    const owner = state.owner ?? ownerOfNode(change);
    const input = { options: this.#options, rules: this.#rules, mute: this.#mute, owner };
    const { verdict, state: after, recheckAt = Infinity } = await reportWorst(change, state, input, context);
    const at = Math.min(recheckAt, nextWakeAt(after, now, this.#rules) ?? Infinity);
    context.wakeAt(change.key, Number.isFinite(at) ? at : null);
    return { verdict, state: canForget(after) ? null : after };
  }

  async #update(state: GroupState, change: Change, context: StatefulContext<GroupState>): Promise<GroupState> {
    const { now, evidence } = context;
    // The time when it was seen: a retry must say the same, and a restart counts from then on.
    const at = Math.min(change.observedAt, now);
    const classify = this.#classify;
    const { restarts } = this.#rules;
    if (change.action === 'timer') return recheckPods(state, now, { classify, restarts, evidence });
    const owner = await this.#ownerOf(state, change, context);
    const known = owner === undefined ? state : { ...state, owner };
    if (isEvent(change.gvk)) {
      const pod = await findEventPod(change, evidence);
      const problem = eventProblemOf(change);
      if (isHalt(pod)) return known;
      if (problem !== undefined) return withEventProblem(known, podRefOf(pod), problem, at);
      return withSighting(known, sightingOf('Pod', asObserved(pod), classify, false), at, restarts);
    }
    const kind = failingKindIn(change.gvk) ?? 'Pod';
    const sighting = sightingOf(kind, change, classify, isPodFailing(state, change.uid, now));
    return withSighting(known, await withoutReplaced(sighting, change, evidence), at, restarts);
  }

  async #ownerOf(state: GroupState, change: Change, context: StatefulContext<GroupState>): Promise<Owner | undefined> {
    if (state.owner !== undefined) return state.owner;
    const owner = await findOwner(change, this.#classify, context);
    return isHalt(owner) ? undefined : owner;
  }
}
