import { z } from 'zod';
import { endsReported } from '../../src/change/ends-reported.ts';
import { defineTransform, halt } from '../../src/chain/handler.ts';
import { WaitError } from '../../src/errors.ts';
import { clusterQuestionsOf, conditionOf } from '../match/conditions.ts';
import { tests } from '../match/options.ts';
import { quietEnd, windowOptions } from './window.ts';

/** A held change asks again after this long: the configuration may have ended the quiet. */
const MAX_HOLD_MS = 15 * 60_000;

const options = tests
  .extend({
    ...windowOptions,
    action: z
      .enum(['hold', 'halt'])
      .default('hold')
      .describe(
        '`"hold"`: changes are delivered when the quiet is over. `"halt"`: they are halted, except for the end of a `podAlerts` alert or, after `lasting`, of what that reported: it would otherwise stay open.',
      )
      .meta({ example: 'halt' }),
    on: tests.shape.action.describe('What happened, as `action` in `match`.').meta({ example: 'deleted' }),
  })
  .superRefine((given, context) => {
    const { from, until, daily, days, action } = given;
    const refuse = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if (Object.keys(given).every((key) => key === 'action' || key === 'timeZone'))
      refuse('until', 'is missing: a quiet without tests needs from, until, daily or days');
    if (from !== undefined && until !== undefined && Date.parse(from) >= Date.parse(until))
      refuse('until', 'must be later than from');
    if (action === 'hold' && until === undefined && daily === undefined && days === undefined)
      refuse(
        'until',
        'is missing: held changes need an end, by until, daily or days; action = "halt" mutes without one',
      );
    if (given.timeZone !== undefined && daily === undefined && days === undefined)
      refuse('timeZone', 'applies to daily and days only');
  });

export default defineTransform({
  name: 'quiet',
  summary: 'Holds or halts matching changes for a time: a maintenance window, quiet hours, a mute.',
  description: [
    'Usually written as `quiet = [{ ... }]` at the top of the file, for every chain, or in a chain: it then comes before all handlers. It takes the tests of [`match`](match.md); all given tests must hold, and without any, everything matches. `on` is what `match` calls `action`.',
    'A held change waits in the store without using up a retry, and later changes of its object wait behind it. When the quiet is over it is delivered, together with others if the sink can do that, and only from then on counts as late. If the configuration no longer holds them, held changes are delivered as soon as it is loaded. Each held or halted change shows in the log at level `debug`, in the metrics (`verdict="wait"` or `"halt"`) and in `watchchain explain --change`.',
  ].join('\n\n'),
  options,
  holdsWakeUps: true,
  looksUpInvolved: true,
  asks: clusterQuestionsOf,
  examples: [
    {
      title: 'Hold changes of the batch namespace until the morning',
      toml: '[[handler]]\nname = "quiet"\nnamespace = "^batch$"\ndaily = "22:00-06:00"\ntimeZone = "Europe/Zurich"\n',
    },
    {
      title: 'Mute deletions of pods during a migration',
      toml: '[[handler]]\nname = "quiet"\nkind = "^Pod$"\non = "deleted"\nuntil = "2030-01-31T18:00:00Z"\naction = "halt"\n',
    },
  ],
  create({ action, on, from, until, daily, days, timeZone, ...given }, { clock }) {
    const endOf = quietEnd({ from, until, daily, days, timeZone });
    const condition = conditionOf({ ...given, action: on }, false);
    return {
      async handle(change, context) {
        const now = clock.now();
        const end = endOf(now);
        if (end === undefined || !(await condition(change, context)).holds) return change;
        const why = end === Infinity ? 'quiet' : `quiet until ${new Date(end).toISOString()}`;
        if (action === 'halt') return endsReported(change) ? change : halt(why);
        throw new WaitError(clock.steady() + Math.min(end - now, MAX_HOLD_MS), why, { isHold: true });
      },
    };
  },
});
