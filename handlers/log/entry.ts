/** What is logged about a change, as JSON and as text for people. */
import { apiVersionOf, manifestOf, type Change } from '../../src/change.ts';
import { isEvent } from '../../src/event.ts';
import { flagNames } from '../../src/change/flags.ts';
import { toJson, type Json } from '../../src/json.ts';
import { printable, printableLines } from '../../src/text/printable.ts';
import { writersOf } from '../../src/change/remarks.ts';
import { aboutOf, detailLines } from '../../src/template/details.ts';
import { headlineOf, verbOf } from '../../src/template/headline.ts';
import type { FieldChange } from '../diff/field-change.ts';
import { cut } from '../diff/text.ts';
import type { AlertNote } from '../podAlerts/alert.ts';

/** One entry about a change, before it is known in which format it will be read. */
export interface Entry {
  readonly level: 'info' | 'debug';
  readonly message: string;
  readonly change: Change;
  /** Members of the JSON object that only this entry has. */
  readonly details: Readonly<Record<string, unknown>>;
  /** For people: the rest of the first line, and below it the block. */
  readonly line: string;
  readonly block: () => string;
}

/** Longer values are cut: lines of megabytes break their readers, and `diff` has the part that matters. */
const MAX_VALUE_CHARS = 1_000;
const MAX_FIELDS = 200;

/** What an Event says, since its name says nothing and a higher count says little; of other objects, what changed. */
export function happened(change: Change): string {
  return isEvent(change.gvk) ? headlineOf(change) : (change.notes.diff?.headline ?? '');
}

/** The entry at level info: who did what to which object, and what changed. */
export function changeEntry(change: Change): Entry {
  const { diff, deadLetter, lasting, alert } = change.notes;
  if (alert !== undefined) return alertEntry(change, alert);
  const by = writersOf(change);
  const headline = happened(change);
  const parts = [headline, ...aboutOf(change)];
  return {
    level: 'info',
    message: 'Change',
    change,
    details: {
      by,
      flags: flagNames(change.flags),
      ...(deadLetter === undefined ? {} : { deadLetter }),
      ...(lasting === undefined ? {} : { lasting }),
      ...(headline === '' ? {} : { headline }),
      ...(diff === undefined ? {} : detailsOf(diff)),
    },
    line: parts.filter((part) => part !== '').join(' · '),
    block: () => detailLines(change).join('\n'),
  };
}

function alertEntry(change: Change, alert: AlertNote): Entry {
  return {
    level: 'info',
    message: 'Alert',
    change,
    details: { flags: flagNames(change.flags), alert },
    line: [alert.headline, ...aboutOf(change)].join(' · '),
    block: () => detailLines(change).join('\n'),
  };
}

/** The entry at level debug; undefined if there is no manifest, as at a wake-up. */
export function manifestEntry(change: Change): Entry | undefined {
  const manifest = manifestOf(change);
  if (manifest === undefined) return undefined;
  const block = () => JSON.stringify(manifest, null, 2);
  return { level: 'debug', message: 'Manifest', change, details: { manifest }, line: 'manifest', block };
}

/** One JSON object on one line. Extra characters are escaped with JSON's own escapes, so the values stay the same. */
export function jsonText({ level, message, change, details }: Entry): string {
  const { gvk, action, key, uid, resourceVersion } = change;
  return printable(
    JSON.stringify({
      time: timeOf(change),
      level,
      message,
      id: change.id,
      cluster: change.cluster.name,
      action,
      kind: gvk.kind,
      apiVersion: apiVersionOf(gvk),
      key,
      uid,
      resourceVersion,
      ...details,
    }),
  );
}

const COLORS: Readonly<Record<string, string>> = {
  added: '\x1b[32m',
  updated: '\x1b[33m',
  deleted: '\x1b[31m',
  timer: '\x1b[36m',
  failure: '\x1b[31m',
  warning: '\x1b[33m',
  resolved: '\x1b[32m',
};

/** A line with time, action, object and headline; below it, indented, the details. */
export function prettyText({ change, line, block }: Entry, { color }: { color: boolean }): string {
  const { gvk, key } = change;
  const happened = verbOf(change);
  const verb = color ? `${COLORS[happened] ?? ''}${happened.padEnd(7)}\x1b[0m` : happened.padEnd(7);
  const first = `${timeOf(change)} ${verb} ${printable(`${gvk.kind} ${key}${line === '' ? '' : `  ${line}`}`)}`;
  const rest = block();
  return rest.trim() === '' ? first : `${first}\n${indented(rest)}`;
}

function detailsOf({ fields, unified }: NonNullable<Change['notes']['diff']>): Entry['details'] {
  const more = fields.length - MAX_FIELDS;
  return {
    fields: fields.slice(0, MAX_FIELDS).map(fieldDetails),
    ...(more > 0 ? { moreFields: more } : {}),
    ...(unified === '' ? {} : { diff: unified }),
  };
}

function fieldDetails({ path, op, before, after }: FieldChange): object {
  return { path, op, before: bounded(before), after: bounded(after) };
}

function bounded(value: Json | undefined): Json | undefined {
  if (value === undefined) return undefined;
  const text = typeof value === 'string' ? value : toJson(value);
  return text.length <= MAX_VALUE_CHARS ? value : cut(text, MAX_VALUE_CHARS);
}

function timeOf({ observedAt }: Change): string {
  return new Date(observedAt).toISOString();
}

function indented(text: string): string {
  return printableLines(text).replace(/^(?=.)/gm, '    ');
}
