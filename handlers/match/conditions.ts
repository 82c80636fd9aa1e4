/** The tests of a configuration as a function of a change, with the reason in words. */
import type { ClusterQuestions } from '../../src/chain/handler.ts';
import { apiVersionOf, manifestOf, type Change } from '../../src/change.ts';
import { compilePatterns, type patterns } from '../../src/config/fields.ts';
import { needOf } from '../../src/enrich/needs.ts';
import { eventFact, isEvent, occurrencesOf, type EventFact } from '../../src/event.ts';
import { member, own, type Json, type JsonObject } from '../../src/json.ts';
import { printable, shortened } from '../../src/text/printable.ts';
import { writersOf } from '../../src/change/remarks.ts';
import type { z } from 'zod';
import { diffFields, type FieldRules } from '../diff/fields.ts';
import { compileMask } from '../diff/mask.ts';
import { parseFieldPath } from '../../src/field-path.ts';
import { allOf, type Condition, type Outcome } from './all-of.ts';
import type { Tests } from './options.ts';
import { valuesAt } from './values.ts';
import { whenCondition } from './when.ts';

type Patterns = z.output<typeof patterns>;

/**
 * All tests as one condition, in order of cost: free checks first, then walks of the whole manifest and templates, last what the
 * cluster may have to be asked for.
 * @param absentIsEmpty an absent text or field counts as the empty text
 */
export function conditionOf(tests: Tests, absentIsEmpty: boolean): Condition {
  const conditions: Condition[] = [];
  const found = (values: readonly string[]) => (absentIsEmpty && values.length === 0 ? [''] : values);
  if (tests.action !== undefined) conditions.push(actionCondition([tests.action].flat()));
  for (const [test, valueOf] of Object.entries(TEXTS) as [TextTest, TextOf][]) {
    const given = tests[test];
    if (given !== undefined)
      conditions.push(
        textCondition(test, given, (change) => found(toList(valueOf(change))), CASE_INSENSITIVE.has(test)),
      );
  }
  if (tests.minCount !== undefined) conditions.push(minCountCondition(tests.minCount));
  if (tests.by !== undefined) conditions.push(textCondition('by', tests.by, (change) => found(writersOf(change))));
  for (const [table, prefix, rootOf] of [
    ['notes', 'notes.', ({ notes }: Change) => notes as unknown as JsonObject],
    ['field', '', (change: Change) => manifestOf(change) ?? {}],
  ] as const) {
    for (const [path, given] of Object.entries(tests[table] ?? {})) {
      const { mask } = rulesFor([path]);
      conditions.push(textCondition(`${prefix}${path}`, given, (change) => found([...valuesAt(rootOf(change), mask)])));
    }
  }
  if (tests.changed !== undefined) conditions.push(changedCondition([tests.changed].flat()));
  const asking = involvedConditions(tests);
  if (tests.when !== undefined) {
    const turn = needOf(tests.when) === undefined ? conditions : asking;
    turn.push(whenCondition(tests.when));
  }
  return allOf([...conditions, ...asking]);
}

/**
 * What the cluster may have to be asked for: owner and namespace of any object, and what a template reads of it; labels and
 * annotations only of an Event's object.
 */
export function clusterQuestionsOf(tests: Omit<Tests, 'action'>): ClusterQuestions {
  const { labels, annotations, namespaceLabels, ownerKind, ownerName, when } = tests;
  if ([namespaceLabels, ownerKind, ownerName].some((given) => given !== undefined)) return { involved: true };
  if (needOf(when) !== undefined) return { involved: true };
  return labels === undefined && annotations === undefined ? {} : { involved: 'of Events' };
}

/** For an Event, the labels and annotations of the object that it involves count: its own are empty. */
function involvedConditions(tests: Tests): Condition[] {
  const conditions: Condition[] = [];
  for (const table of ['labels', 'annotations'] as const) {
    for (const [key, given] of Object.entries(tests[table] ?? {})) {
      const test = matcherOf(`${table}[${key}]`, given);
      conditions.push((change, context) =>
        isEvent(change.gvk)
          ? context.involved(change).then((involved) => test(valuesIn(involved?.[table], key)))
          : test(toList(metadataValue(change, table, key))),
      );
    }
  }
  for (const [key, given] of Object.entries(tests.namespaceLabels ?? {})) {
    const test = matcherOf(`namespaceLabels[${key}]`, given);
    conditions.push((change, context) =>
      context.namespaceOf(change).then((found) => test(valuesIn(found?.labels, key))),
    );
  }
  for (const [name, part] of [
    ['ownerKind', 'kind'],
    ['ownerName', 'name'],
  ] as const) {
    const given = tests[name];
    if (given === undefined) continue;
    const test = matcherOf(name, given, CASE_INSENSITIVE.has(name));
    conditions.push((change, context) => context.topOwner(change).then((owner) => test(toList(owner?.[part]))));
  }
  return conditions;
}

type TextTest = 'kind' | 'apiVersion' | 'namespace' | 'objectName' | Exclude<EventFact, 'involvedUid'>;
type TextOf = (change: Change) => string | undefined;

const TEXTS: Readonly<Record<TextTest, TextOf>> = {
  kind: ({ gvk }) => gvk.kind,
  apiVersion: ({ gvk }) => apiVersionOf(gvk),
  namespace: ({ namespace }) => namespace,
  objectName: ({ name }) => name,
  involvedKind: (change) => eventFact(change, 'involvedKind'),
  involvedName: (change) => eventFact(change, 'involvedName'),
  involvedNamespace: (change) => eventFact(change, 'involvedNamespace'),
  involvedApiVersion: (change) => eventFact(change, 'involvedApiVersion'),
  reason: (change) => eventFact(change, 'reason'),
  type: (change) => eventFact(change, 'type'),
  component: (change) => eventFact(change, 'component'),
  host: (change) => eventFact(change, 'host'),
  message: (change) => eventFact(change, 'message'),
};

/** Kinds may be written in any case throughout the configuration. */
const CASE_INSENSITIVE: ReadonlySet<string> = new Set(['kind', 'involvedKind', 'ownerKind'] satisfies (keyof Tests)[]);

function textCondition(
  name: string,
  given: Patterns,
  valuesOf: (change: Change) => readonly string[],
  ignoreCase = false,
): Condition {
  const test = matcherOf(name, given, ignoreCase);
  return (change) => test(valuesOf(change));
}

function matcherOf(name: string, given: Patterns, ignoreCase = false): (values: readonly string[]) => Outcome {
  const matches = compilePatterns(given, { ignoreCase });
  const expected = [given].flat().join(' or ');
  return (values) => {
    const match = values.find(matches);
    if (match !== undefined) return { holds: true, why: `${name} ${quoted(match)} matches ${expected}` };
    const found = values.length === 0 ? 'is absent, so it' : values.slice(0, 3).map(quoted).join(' and ');
    return { holds: false, why: `${name} ${found} does not match ${expected}` };
  };
}

function actionCondition(actions: readonly string[]): Condition {
  const expected = actions.join(' or ');
  return ({ action }) => {
    const holds = actions.includes(action);
    return { holds, why: `action ${action} is ${holds ? '' : 'not '}${expected}` };
  };
}

function minCountCondition(minCount: number): Condition {
  return (change) => {
    const manifest = isEvent(change.gvk) ? manifestOf(change) : undefined;
    const count = manifest === undefined ? 0 : occurrencesOf(manifest);
    const holds = count >= minCount;
    return { holds, why: `count ${count} is ${holds ? 'at least' : 'less than'} ${minCount}` };
  };
}

/** Created and deleted objects have no changed fields: `action` asks for them. */
function changedCondition(paths: readonly string[]): Condition {
  const rules = rulesFor(paths);
  const expected = paths.join(' or ');
  return ({ before, after }) => {
    const [field] = before && after ? diffFields(before, after, rules) : [];
    return field ? { holds: true, why: `${field.path} changed` } : { holds: false, why: `no change of ${expected}` };
  };
}

/** Everything that the paths name counts: nothing there is quiet. */
function rulesFor(paths: readonly string[]): FieldRules {
  return { mask: compileMask([], paths.map(parseFieldPath)), nulls: false, emptyMetadata: true };
}

function metadataValue(change: Change, table: 'labels' | 'annotations', key: string): string | undefined {
  const values = manifestOf(change)?.metadata[table] as Json | undefined;
  const value = member(values, key);
  return typeof value === 'string' ? value : undefined;
}

/** @param table undefined if it could not be looked up */
function valuesIn(table: Readonly<Record<string, string>> | undefined, key: string): readonly string[] {
  return toList(table && own(table, key));
}

function toList(value: string | undefined): readonly string[] {
  return value === undefined ? [] : [value];
}

const MAX_SHOWN_CHARS = 60;

/** A value as shown in a reason: quoted, on one line, shortened. */
function quoted(value: string): string {
  return `"${printable(shortened(value, MAX_SHOWN_CHARS))}"`;
}
