import { z } from 'zod';
import type { Change } from '../src/change.ts';
import { endsReported } from '../src/change/ends-reported.ts';
import { withNote } from '../src/change/lazy-change.ts';
import { defineStateful, halt } from '../src/chain/handler.ts';
import { durationFrom, durationMs, parkedDuration } from '../src/config/duration.ts';
import { shortKey } from '../src/delivery/short-key.ts';
import { template } from '../src/template/fields.ts';
import { scopeOf } from '../src/template/scope.ts';
import { compileTemplate } from '../src/template/template.ts';

/** What is left of a longer key is its hash: the store keeps it with every change that waits. */
const MAX_KEY_LENGTH = 255;
/** The limit of `atMost`: the state holds a time for each change that passed. */
const MAX_PASSED = 1_000;

/** What was halted before this change, which passes. */
export interface OnceNote {
  /** How many changes of the same key were halted since the last one that passed; at least 1. */
  readonly suppressed: number;
  /** When that one passed, RFC 3339. */
  readonly since: string;
  /** How long ago that was. */
  readonly durationMs: number;
}

declare module '../src/change.ts' {
  interface Notes {
    readonly once: OnceNote;
  }
}

/** The state of one key, forgotten when none of its changes has come for `within`: by then none that passed counts any more. */
type KeyState = {
  /** When the last ones passed, at most `atMost`, in their order; milliseconds since the epoch, like all times here. */
  readonly passed: readonly number[];
  /** How many were halted since. */
  readonly suppressed: number;
  /** When the last change came. */
  readonly seenAt: number;
};

const options = z.strictObject({
  within: durationFrom('1s', parkedDuration)
    .describe('The time within which only the first changes of a key pass, counted back from each change.')
    .meta({ example: '4h' }),
  key: template
    .default('{{ change.group }}/{{ change.kind }}/{{ change.key }}')
    .describe(
      'A [template](../templates.md): changes for which it yields the same text have the same key. A change for which it yields nothing passes. Default: the object.',
    )
    .meta({
      example:
        '{{ event.reason }} {{ involved.topOwner.kind }} {{ involved.topOwner.namespace }}/{{ involved.topOwner.name }}',
    }),
  atMost: z
    .int()
    .min(1)
    .max(MAX_PASSED)
    .default(1)
    .describe('How many changes of a key pass within that time.')
    .meta({ example: 3 }),
});

export default defineStateful<typeof options, KeyState>({
  name: 'once',
  summary: 'Passes the first change of each key within a time, and halts the others.',
  description: [
    'For one message per problem: the changes that have the same `key` are counted together, whatever objects they are about. Put it after the handlers that choose what to report, and before the sinks: only what reaches it counts. A deletion counts like any other change; to count deletions separately, add `{{ change.action }}` to the key. The end of a `podAlerts` alert, or of what [`lasting`](lasting.md) reported, always passes and is not counted.',
    'The next change that passes says how many were halted since the last one: messages show `3 more in the last 4h were not reported`, and templates read `change.notes.once.suppressed`, `.since` and `.durationMs`. If nothing follows, nothing is sent about those that were halted; `watchchain explain --change` and the metrics (`verdict="halt"`) show them.',
    'A change counts when the chain has finished with it: a retry does not count twice, and a dead letter does not count. Until then, other changes of its key wait. A restart forgets nothing. A key is forgotten when none of its changes has come for `within`.',
    'No other handler of the same chain can keep state: not `podAlerts`, and no second `once`. Put `once` into a [branch](../chains.md#branches) instead.',
  ].join('\n\n'),
  options,
  examples: [
    {
      title: 'One message about an object in four hours',
      toml: '[[handler]]\nname = "once"\nwithin = "4h"\n',
    },
    {
      title: 'Once for each image of a Deployment',
      toml: '[[handler]]\nname = "once"\nwithin = "90d"\nkey = "{{ change.key }} {{ change.object.spec.template.spec.containers | map: \'image\' | join: \' \' }}"\n',
    },
    {
      title: 'At most three an hour for a namespace',
      toml: '[[handler]]\nname = "once"\nkey = "{{ change.namespace }}"\nwithin = "1h"\natMost = 3\n',
    },
    {
      title: 'In a branch behind `podAlerts`: each workload once a day, and again if it gets worse',
      toml: '[[handler]]\nname = "once"\nkey = "{{ change.notes.alert.fingerprint }} {{ change.notes.alert.level }}"\nwithin = "1d"\n',
    },
  ],
  create({ within, key, atMost }) {
    const rule: Rule = { within, withinMs: durationMs(within, Infinity), atMost };
    const compiled = compileTemplate(key, 'key');
    const keyOf = (change: Change): string => compiled.text(scopeOf(change)).trim();
    return {
      // Without a key there is nothing to count, but the changes of an object still stay in order.
      group: (change) => groupOf(keyOf(change)) ?? `object ${change.uid}`,
      handle(change, { state, now, isWakeUp, wakeAt }) {
        if (isWakeUp) {
          const endsAt = endOf(state, rule);
          if (endsAt > now) wakeAt(change.key, endsAt);
          return { verdict: halt(`no change of this key for ${within}`), state: endsAt > now ? (state ?? null) : null };
        }
        const isCounted = !endsReported(change) && keyOf(change) !== '';
        if (!isCounted) return { verdict: change, state: state ?? null };
        const decision = decide(change, state, now, rule);
        wakeAt(change.key, endOf(decision.state, rule));
        return decision;
      },
    };
  },
});

interface Rule {
  /** As written. */
  readonly within: string;
  readonly withinMs: number;
  readonly atMost: number;
}

function decide(change: Change, state: KeyState | undefined, now: number, { within, withinMs, atMost }: Rule) {
  const { passed, suppressed } = state ?? { passed: [], suppressed: 0 };
  const last = passed.at(-1);
  if (last !== undefined && passed.filter((at) => at > now - withinMs).length >= atMost) {
    const often = atMost === 1 ? 'once' : `${atMost} times`;
    const reason = `${often} in ${within}: the last one passed at ${new Date(last).toISOString()}`;
    return { verdict: halt(reason), state: { passed, suppressed: suppressed + 1, seenAt: now } };
  }
  const counted = { passed: [...passed, now].slice(-atMost), suppressed: 0, seenAt: now };
  if (last === undefined || suppressed === 0) return { verdict: change, state: counted };
  const note = { suppressed, since: new Date(last).toISOString(), durationMs: now - last };
  return { verdict: withNote(change, 'once', note), state: counted };
}

/** When the key is forgotten: in a changed configuration, not necessarily when its wake-up comes. */
function endOf(state: KeyState | undefined, { withinMs }: Rule): number {
  return state === undefined ? -Infinity : state.seenAt + withinMs;
}

function groupOf(key: string): string | undefined {
  return key === '' ? undefined : `key ${shortKey(key, MAX_KEY_LENGTH)}`;
}
