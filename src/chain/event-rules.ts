/**
 * A chain's settings for Kubernetes Events, as the first steps of the chain. The source leaves out what no chain of a
 * scope wants, but chains that share a scope may want different things, and only a change has an age.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Change, Manifest } from '../change.ts';
import type { EventConfig, HandlerConfig, ResourceConfig } from '../config/config.ts';
import { lastOccurredAt, isEvent, occurrencesOf, floorLog2, REPEAT_FIELDS, REPEATS, type Repeats } from '../event.ts';
import { member, type Json } from '../json.ts';
import { matchesNamespace } from '../namespaces.ts';
import { halt, type Halt } from './handler.ts';
import { settingStep } from './setting-step.ts';

/** Returns a halt, or undefined to pass the change. */
type Rule = (change: Change, resources: readonly EventConfig[]) => Halt | undefined;

/** The handlers `repeats` and `maxAge` of a chain, if they can make a difference. */
export function eventRules(chain: string, resources: readonly ResourceConfig[]): readonly HandlerConfig[] {
  const rules: HandlerConfig[] = [];
  const add = (name: string, summary: string, rule: Rule, applies: (events: EventConfig) => boolean) => {
    const origin = resources.find(({ events = [] }) => events.some(applies));
    if (origin === undefined) return;
    const handle = handleBy(rule, resources);
    rules.push(settingStep(chain, { name, summary, create: () => ({ handle }) }, origin.at));
  };
  add('maxAge', 'Halts Events that were already too old when they were seen.', checkAge, hasMaxAge);
  add(
    'repeats',
    'Halts those repeats of an Event that the configuration does not ask for.',
    checkRepeats,
    limitsRepeats,
  );
  return rules;
}

const hasMaxAge = ({ maxAgeMs }: EventConfig): boolean => maxAgeMs !== undefined;
const limitsRepeats = ({ repeats }: EventConfig): boolean => repeats !== 'every';

function handleBy(rule: Rule, resources: readonly ResourceConfig[]): (change: Change) => Change | Halt {
  const all = resources.flatMap(({ events = [], fieldSelector }) => events.map((one) => ({ ...one, fieldSelector })));
  return (change) => {
    if (!isEvent(change.gvk)) return change;
    const covering = all.filter(
      ({ namespaces, fieldSelector }) =>
        matchesNamespace(namespaces, change.namespace ?? '') && maySelect(fieldSelector, change.after),
    );
    return rule(change, covering) ?? change;
  };
}

/** If several resources cover an Event, the most permissive one counts. An Event that we saw late is not too old. */
function checkAge({ after, observedAt, flags }: Change, resources: readonly EventConfig[]): Halt | undefined {
  if (after === undefined || flags.whileAway === true || flags.delayed === true) return undefined;
  const maxAgeMs = Math.max(...resources.map((resource) => resource.maxAgeMs ?? Infinity));
  const ageMs = observedAt - (lastOccurredAt(after) ?? observedAt);
  if (resources.length === 0 || ageMs <= maxAgeMs) return undefined;
  return halt(`it happened ${ageMs / 1000} s before it was seen, longer than maxAge, ${maxAgeMs / 1000} s`);
}

function checkRepeats({ before, after }: Change, resources: readonly EventConfig[]): Halt | undefined {
  if (before === undefined || after === undefined || resources.length === 0) return undefined;
  const repeats = REPEATS.findLast((one) => resources.some((resource) => resource.repeats === one)) ?? 'every';
  if (isReported(before, after, repeats)) return undefined;
  const reported = repeats === 'first' ? 'only the first is' : 'the 1st, 2nd, 4th, 8th, ... are';
  return halt(`occurrence ${occurrencesOf(after)} of an Event is not reported: ${reported}`);
}

/** Whether an update is to be reported, by the same rule as the digests in the source. */
function isReported(before: Manifest, after: Manifest, repeats: Repeats): boolean {
  if (repeats === 'every') return true;
  if (repeats === 'powers' && floorLog2(occurrencesOf(before)) !== floorLog2(occurrencesOf(after))) return true;
  return !isDeepStrictEqual(withoutRepeatFields(before), withoutRepeatFields(after));
}

function withoutRepeatFields(event: Manifest): object {
  const { resourceVersion: _, ...metadata } = event.metadata;
  const rest = Object.entries(event).filter(([field]) => !REPEAT_FIELDS.includes(field));
  return { ...Object.fromEntries(rest), metadata };
}

/** Whether a field selector may match the Event: no if a text field contradicts it. Of other fields only the API server knows. */
function maySelect(fieldSelector: string, event: Manifest | undefined): boolean {
  const requirements = fieldSelector.matchAll(/([\w.]+)(==?|!=)((?:\\.|[^\\,])*)/g);
  return [...requirements].every(([, path = '', operator, value = '']) => {
    const found = path.split('.').reduce<Json | undefined>(member, event);
    return typeof found !== 'string' || (found === value.replace(/\\(.)/g, '$1')) === (operator !== '!=');
  });
}
