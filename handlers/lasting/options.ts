/** Which tests describe a state, and how long it has to last. */
import { z } from 'zod';
import { duration } from '../../src/config/duration.ts';
import { parseFieldPath } from '../../src/field-path.ts';
import { EVENT_TESTS, options as matchOptions, requireOneOf, tests } from '../match/options.ts';

/** Without the tests of what happened, of who did it, and of Kubernetes Events: these are true at one moment only. */
const stateTests = tests.omit({ action: true, by: true, changed: true, notes: true, ...EVENT_TESTS });

export const options = stateTests
  .extend({
    when: tests.shape.when
      .describe(
        'A condition on the object, as in `match`: a [template](../templates.md) that reads `change.after`. There is no `change.before`, and there are no notes at the end of the wait.',
      )
      .meta({ example: '{{ change.after.status.currentReplicas >= change.after.spec.maxReplicas }}' }),
    for: duration
      .describe('How long an object has to meet all tests before it is reported, counted from when that was seen.')
      .meta({ example: '5m' }),
    resolved: z
      .boolean()
      .default(true)
      .describe('Also report the end of what has lasted that long.')
      .meta({ example: false }),
    absentIsEmpty: matchOptions.shape.absentIsEmpty,
  })
  .superRefine(requireOneOf(stateTests));

export type Options = z.output<typeof options>;

/** The field roots that the tests read: `status`. */
export function rootsOf({ field = {}, when = '' }: Pick<Options, 'field' | 'when'>): readonly string[] {
  const inConditions = [...when.matchAll(/\bchange\.(?:after|object)\.(\w+)/g)].flatMap(([, root = '']) => root);
  return [...new Set([...Object.keys(field).flatMap((path) => parseFieldPath(path).slice(0, 1)), ...inConditions])];
}
