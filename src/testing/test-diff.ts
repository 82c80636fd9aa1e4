/** What `diff` says of two manifests of one object. */
import assert from 'node:assert/strict';
import type { Actor, Change, Manifest } from '../change.ts';
import { isHalt, type HandlerContext, type HandlerEnvironment } from '../chain/handler.ts';
import type { Json } from '../json.ts';
import { deepFrozen } from './change.ts';
import diff from '../../handlers/diff/index.ts';
import type { DiffNote } from '../../handlers/diff/note.ts';
import { formatField } from '../../handlers/diff/text.ts';

export type Fields = Readonly<Record<string, Json>>;

export function verdictOn(
  before: Fields | undefined,
  after: Fields | undefined,
  options: object = {},
  by: readonly Actor[] = [],
) {
  assert.equal(diff.type, 'transform');
  const instance = diff.create(diff.options.parse(options), {} as HandlerEnvironment);
  const change: Change = {
    id: 1,
    action: before === undefined ? 'added' : after === undefined ? 'deleted' : 'updated',
    cluster: { id: 'c', name: 'c' },
    gvk: { group: 'apps', version: 'v1', kind: 'Deployment' },
    gvr: { group: 'apps', version: 'v1', resource: 'deployments' },
    key: 'shop/web',
    namespace: 'shop',
    name: 'web',
    uid: 'u',
    resourceVersion: '2',
    before: deepFrozen(before) as Manifest | undefined,
    after: deepFrozen(after) as Manifest | undefined,
    by,
    observedAt: 0,
    flags: {},
    notes: {},
  };
  return { change, verdict: instance.handle(Object.freeze(change), {} as HandlerContext) as Change };
}

export function noteOn(before: Fields, after: Fields, options: object = {}, by: readonly Actor[] = []): DiffNote {
  const { verdict } = verdictOn(before, after, options, by);
  assert.ok(!isHalt(verdict), 'expected a difference');
  assert.ok(verdict.notes.diff);
  return verdict.notes.diff;
}

export const linesOn = (...args: Parameters<typeof noteOn>) =>
  noteOn(...args).fields.map((field) => formatField(field));

export function haltOn(before: Fields, after: Fields, options: object = {}): string {
  const { verdict } = verdictOn(before, after, options);
  assert.ok(isHalt(verdict), 'expected a halt');
  return verdict.reason;
}

export const named = (rest: Fields = {}, metadata: Fields = {}): Fields => ({
  metadata: { name: 'web', ...metadata },
  ...rest,
});
export const podTemplate = (...containers: Json[]) => named({ spec: { template: { spec: { containers } } } });
