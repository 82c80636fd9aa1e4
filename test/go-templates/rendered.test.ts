/** Our templates compared with Go's: rendered.json is the output of text/template and sprig for templates.json, see main.go. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { withNote } from '../../src/change/lazy-change.ts';
import { translateGoTemplate } from '../../src/config/adapters/event-exporter/go-template/translate.ts';
import { compileLayout } from '../../src/template/layout.ts';
import { scopeOf } from '../../src/template/scope.ts';
import { changeOf } from '../../src/testing/change.ts';

interface Input {
  readonly clusterName: string;
  readonly events: Readonly<Record<string, object>>;
  readonly involved: Readonly<Record<string, object>>;
}

interface Rendered {
  readonly template: string;
  readonly event: string;
  /** Null for what Go refuses while rendering: here, a field that an Event lacks is no error. */
  readonly text: string | null;
}

const read = (name: string): unknown => JSON.parse(readFileSync(`${import.meta.dirname}/${name}`, 'utf8'));
const { clusterName, events, involved } = read('templates.json') as Input;
const UNKNOWN = { labels: {}, annotations: {}, ownerReferences: [], deleted: false, known: true };

function ours(template: string, event: string): unknown {
  const layout = compileLayout({ leaf: translateGoTemplate(template, { clusterName, deDot: false }, 'layout') });
  const change = changeOf({ after: { apiVersion: 'v1', kind: 'Event', ...events[event] } });
  const reference = { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'web-1', uid: undefined };
  const facts = { ...UNKNOWN, ...involved[event] };
  return (layout.value(scopeOf(withNote(change, 'involved', { ...reference, ...facts }))) as { leaf?: unknown }).leaf;
}

describe('Go templates render as in Go', () => {
  for (const { template, event, text } of read('rendered.json') as readonly Rendered[]) {
    test(`${JSON.stringify(template)} of the ${event} Event`, () => {
      const rendered = ours(template, event);
      if (text === null) assert.equal(typeof rendered, 'string');
      else assert.equal(rendered, text);
    });
  }
});
