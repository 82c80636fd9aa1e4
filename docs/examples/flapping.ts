/** Your own handler with state: of an object that changes over and over, only the first few changes within an hour pass. */
import { defineStateful, halt, z, type Change, type StatefulContext } from 'watchchain';

const HOUR_MS = 3_600_000;

const options = z.strictObject({
  atMost: z
    .int()
    .min(1)
    .default(5)
    .describe('How many changes of one object pass within an hour.')
    .meta({ example: 3 }),
});

export default defineStateful({
  name: 'flapping',
  summary: 'Halts changes of an object that changes over and over.',
  description: 'A deletion always passes and resets the count.',
  options,
  examples: [{ title: 'Three an hour', toml: '[[handler]]\nname = "./flapping.ts"\natMost = 3\n' }],
  create({ atMost }) {
    return {
      /** The state, the times of the changes that passed, is committed with the end of this one: a retry counts once. */
      handle(change: Change, { state = [], now }: StatefulContext<readonly number[]>) {
        if (change.action === 'deleted') return { verdict: change, state: null };
        const passed = state.filter((at) => now - at < HOUR_MS);
        if (passed.length < atMost) return { verdict: change, state: [...passed, now] };
        return { verdict: halt(`changed more than ${atMost} times within an hour`), state: passed };
      },
    };
  },
});
