/** The test `when`: a condition in Liquid. */
import type { Change } from '../../src/change.ts';
import { needOf, withInvolved } from '../../src/enrich/needs.ts';
import { scopeOf } from '../../src/template/scope.ts';
import { compileTemplate } from '../../src/template/template.ts';
import type { Condition, Outcome } from './all-of.ts';

/**
 * A whole template rather than a bare expression, because Liquid has no brackets, and compares what filters return only after an
 * `assign`. A comparison writes `false`, so `{{ a < b }}` needs no `if` around it. Looks up `involved` if the template reads it.
 */
export function whenCondition(source: string): Condition {
  const template = compileTemplate(source, 'when');
  const need = needOf(source);
  const test = (change: Change): Outcome => {
    const holds = !['', 'false'].includes(template.text(scopeOf(change)).trim());
    return { holds, why: `when ${holds ? 'holds' : 'does not hold'}` };
  };
  return need === undefined ? test : (change, context) => withInvolved(change, need, context).then(test);
}
