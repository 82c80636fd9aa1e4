import { z } from 'zod';
import type { Action } from '../src/change.ts';
import { defineTransform, halt } from '../src/chain/handler.ts';

/** kwatchman's names for what can happen to an object. */
const ACTION_OF = { Add: 'added', Update: 'updated', Delete: 'deleted' } as const satisfies Record<string, Action>;

const EVENTS = ['Add', 'Update', 'Delete'] as const;

const options = z.strictObject({
  events: z
    .array(z.enum(EVENTS))
    .min(1)
    .describe('The actions to halt: `Add`, `Update` and `Delete`, spelled exactly so, as in kwatchman.')
    .meta({ example: ['Add', 'Delete'] }),
});

export default defineTransform({
  name: 'ignoreEvents',
  summary: 'Halts changes by action: created, updated or deleted.',
  description:
    'Halts a change whose action is listed; any other passes untouched. It affects the handlers after it in the chain, ' +
    'not those before it. `match` can do the same with `action`, combined with other tests; this handler keeps configurations of kwatchman working.',
  options,
  examples: [
    {
      title: 'Only updates reach later handlers',
      toml: '[[handler]]\nname = "ignoreEvents"\nevents = ["Add", "Delete"]\n',
    },
  ],
  create({ events }) {
    const ignored = new Map<Action, string>(events.map((event) => [ACTION_OF[event], event]));
    return {
      handle(change) {
        const event = ignored.get(change.action);
        return event === undefined ? change : halt(`event ${event} is ignored`);
      },
    };
  },
});
