import type { Change, Manifest } from '../../src/change.ts';
import { withNote, withParts } from '../../src/change/lazy-change.ts';
import { defineStateful, halt, type Halt, type StatefulContext } from '../../src/chain/handler.ts';
import type { Clock } from '../../src/clock.ts';
import { durationMs } from '../../src/config/duration.ts';
import { durationInWords } from '../../src/text/duration.ts';
import { isEvent } from '../../src/event.ts';
import type { Condition, Outcome } from '../match/all-of.ts';
import { clusterQuestionsOf, conditionOf } from '../match/conditions.ts';
import { whyNoneHolds } from '../match/idle.ts';
import { noteOf } from './note.ts';
import { options, rootsOf, type Options } from './options.ts';
import { begin, extended, goOn, type Wait } from './wait.ts';

export default defineStateful<typeof options, Wait>({
  name: 'lasting',
  summary: 'Reports an object that has met all of its tests for a time, and again when it no longer does.',
  description: [
    'It takes the tests of [`match`](match.md) that describe a state. A change after which the object meets all of them begins a wait, and halts. If the object still meets them after `for`, one change reports it: `before` is the object before the wait, `after` is the object now, and `by` is who began it. What ends earlier is not reported, and neither are further changes while it lasts. The change that ends it is reported, too, unless `resolved` is `false`. A deletion is such an end.',
    'Messages say `for 5m now` or `over after 12m`. Later handlers and [templates](../templates.md) find this in `change.notes.lasting`: `status` is `lasts` or `over`, `since` a time, `durationMs` a number.',
    'Put it before `diff`, because `diff` halts changes that it does not show, such as those of the status. If `field` or `when` tests something that an earlier `diff` leaves out, the configuration is refused. A `diff` after it passes what is reported, but needs `status = true` or `only` to show the status. A `match` may come first, to select by what does not change, such as kinds and namespaces. Do not test the state in that `match`: it would halt the change that ends the state.',
    'The time counts from when the change was seen, and goes on while the service is stopped. If it runs out meanwhile, or soon after the start, the handler waits another 10 seconds, to see what has happened. An object that is in the state at the first start begins its wait with its next change, or at once with [`existing = "added"`](../configuration.md). If you change `for`, the new time applies to a wait from the next change of its object on, or when the old time is up. A change that `quiet` halts is not seen here; one that it holds is seen later.',
    'Kubernetes Events halt: an Event is not a state.',
  ].join('\n\n'),
  options,
  needs: rootsOf,
  idle({ kind }, kinds) {
    const why = whyNoneHolds({ kind }, kinds);
    return why === undefined ? [] : [`reports nothing: ${why}`];
  },
  looksUpInvolved: true,
  // Not its labels and annotations, for which only an Event would ask.
  asks: ({ namespaceLabels, ownerKind, ownerName, when }) =>
    clusterQuestionsOf({ namespaceLabels, ownerKind, ownerName, when }),
  examples: [
    {
      title: 'A HelmRelease that is not ready for five minutes',
      toml: '[[handler]]\nname = "lasting"\nkind = "^HelmRelease$"\nfield."status.conditions[Ready].status" = "^(False|Unknown)$"\nfor = "5m"\n',
    },
    {
      title: 'An Argo CD application that is out of sync for 15 minutes',
      toml: '[[handler]]\nname = "lasting"\nkind = "^Application$"\nfield."status.sync.status" = "^OutOfSync$"\nfor = "15m"\n',
    },
    {
      title: 'An autoscaler that is at its maximum for half an hour',
      toml: '[[handler]]\nname = "lasting"\nkind = "^HorizontalPodAutoscaler$"\nwhen = "{{ change.after.status.currentReplicas >= change.after.spec.maxReplicas }}"\nfor = "30m"\n',
    },
    {
      title: 'A volume claim that is pending for ten minutes, without a message when it is bound',
      toml: '[[handler]]\nname = "lasting"\nkind = "^PersistentVolumeClaim$"\nfield."status.phase" = "^Pending$"\nfor = "10m"\nresolved = false\n',
    },
    {
      title: 'A node that is cordoned for a day',
      toml: '[[handler]]\nname = "lasting"\nkind = "^Node$"\nfield."spec.unschedulable" = "^true$"\nfor = "1d"\n',
    },
  ],
  create(given, { clock }) {
    const handler = new Lasting(given, clock);
    return { handle: (change, context) => handler.handle(change, context) };
  },
});

type Context = StatefulContext<Wait>;
interface Decision {
  readonly verdict: Change | Halt;
  readonly state: Wait | null;
}

class Lasting {
  readonly #condition: Condition;
  readonly #forMs: number;
  readonly #resolved: boolean;
  readonly #clock: Clock;
  readonly #startedAt: number;

  constructor({ for: lasts, resolved, absentIsEmpty, ...tests }: Options, clock: Clock) {
    this.#condition = conditionOf(tests, absentIsEmpty);
    this.#forMs = durationMs(lasts);
    this.#resolved = resolved;
    this.#clock = clock;
    this.#startedAt = clock.steady();
  }

  async handle(change: Change, context: Context): Promise<Decision> {
    if (change.action === 'timer') return this.#wake(change, context);
    if (isEvent(change.gvk)) return { verdict: halt('an Event is no state'), state: null };
    const { holds, why } = await this.#judge(change, change.after, context);
    return holds ? this.#wait(change, why, context) : this.#end(change, why, context);
  }

  /** Begins the wait, or goes on with it. */
  async #wait(change: Change, why: string, context: Context): Promise<Decision> {
    const { state, now } = context;
    if (state === undefined || !(await this.#continues(state, change, context)))
      return waiting(begin(change, this.#seenAt(change, now), this.#forMs), why, change, context);
    if (state.told === 'surely') return { verdict: halt(`already reported: ${why}`), state };
    return waiting(goOn(state, change, now, this.#forMs), why, change, context);
  }

  /** By the clock of wake-ups: the one that stamps changes may have been set back, which must not make the wait shorter. */
  #seenAt({ observedAt }: Change, now: number): number {
    const setBackMs = Math.max(0, this.#clock.steady() - this.#clock.now());
    return Math.min(observedAt + setBackMs, now);
  }

  /** An end that did not come here, because an earlier handler halted it, shows as a change that meets the tests only now. */
  async #continues({ uid }: Wait, change: Change, context: Context): Promise<boolean> {
    if (uid !== change.uid) return false;
    return change.before === undefined || (await this.#judge(change, change.before, context)).holds;
  }

  async #end(change: Change, why: string, context: Context): Promise<Decision> {
    const { state, wakeAt } = context;
    if (state === undefined) return { verdict: halt(why), state: null };
    wakeAt(change.key, null);
    const note = noteOf('over', state.since, change.observedAt);
    if (this.#resolved && (await this.#isTold(state, change, context)))
      return { verdict: withNote(change, 'lasting', note), state: null };
    return { verdict: halt(`over after ${durationInWords(note.durationMs)}: ${why}`), state: null };
  }

  /** If it was only perhaps told, its end is told only with the change that ends it, not with a later one. */
  async #isTold(state: Wait, change: Change, context: Context): Promise<boolean> {
    return state.told === 'surely' || (state.told === 'perhaps' && (await this.#continues(state, change, context)));
  }

  /** Reports the object if the baseline, too, says that it still meets the tests. */
  async #wake(timer: Change, context: Context): Promise<Decision> {
    const { state, now, evidence, mayBeDelivered } = context;
    if (state === undefined || state.told === 'surely')
      return { verdict: halt('nothing waits any more'), state: state ?? null };
    const times = { woken: timer.observedAt, now, forMs: this.#forMs, startedAt: this.#startedAt };
    // Whoever may have heard of it at an earlier attempt must not hear of it again as another change.
    const longer = mayBeDelivered ? undefined : extended(state, times);
    if (longer !== undefined) return waiting(longer, 'it is not certain yet that it lasts', timer, context);
    const held = await evidence.held(timer.gvr.group, timer.gvr.resource, timer.key);
    const current = held?.metadata.uid === state.uid ? held : undefined;
    const { holds, why } = await this.#judge(timer, current, context);
    if (current === undefined || !holds) {
      const isPerhapsTold = mayBeDelivered || state.told === 'perhaps';
      return { verdict: halt(`over: ${why}`), state: isPerhapsTold ? { ...state, told: 'perhaps' } : null };
    }
    return { verdict: await this.#report(timer, state, current, context), state: { ...state, told: 'surely' } };
  }

  /** From before the wait until now, as the history has it: a retry says the same. What is not kept any longer is left out. */
  async #report(timer: Change, { since, began, last }: Wait, current: Manifest, context: Context): Promise<Change> {
    const first = await recorded(began, timer, context);
    const latest = last === began ? first : await recorded(last, timer, context);
    const after = latest?.after ?? current;
    const report = withParts(timer, {
      action: first?.action ?? 'updated',
      before: first?.before,
      after,
      by: first?.by ?? [],
      resourceVersion: latest?.resourceVersion ?? timer.resourceVersion,
    });
    return withNote(report, 'lasting', noteOf('lasts', since, timer.observedAt));
  }

  /** @param manifest what to test; undefined if the object is gone */
  async #judge(change: Change, manifest: Manifest | undefined, context: Context): Promise<Outcome> {
    if (manifest === undefined) return { holds: false, why: 'the object is gone' };
    return this.#condition(withParts(change, { action: 'updated', before: undefined, after: manifest }), context);
  }
}

function waiting(wait: Wait, why: string, { key }: Change, { wakeAt }: Context): Decision {
  wakeAt(key, wait.due);
  return { verdict: halt(`waits until ${new Date(wait.due).toISOString()}: ${why}`), state: wait };
}

/** Undefined if the history no longer holds it, or if it was a wake-up of an earlier handler, which has no manifest. */
async function recorded(id: number, { gvr, key }: Change, { evidence }: Context): Promise<Change | undefined> {
  const { group, resource } = gvr;
  const [change] = await evidence.history({ group, resource, key, afterId: id - 1, beforeId: id + 1, limit: 1 });
  return change;
}
