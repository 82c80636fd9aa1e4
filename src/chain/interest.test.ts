import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { z } from 'zod';
import type { HandlerConfig } from '../config/config.ts';
import { EVERYTHING, type Interest } from '../interest.ts';
import { defineSink, defineStateful, defineTransform, type HandlerDefinition } from './handler.ts';
import { interestOf } from './interest.ts';

const described = { name: 'x', summary: '', description: '', options: z.strictObject({}), examples: [] };
const reading = (...except: string[]) => ({ reads: (): Interest => ({ except }) });
const transform = { create: () => ({ handle: () => ({ halted: true as const, reason: '' }) }) };
const stateful = {
  create: () => ({ handle: () => ({ verdict: { halted: true as const, reason: '' }, state: null }) }),
};
const sink = { create: () => ({ deliver: () => Promise.resolve() }) };

const GATE = defineTransform({ ...described, ...transform, ...reading('status', 'metadata.generation'), gate: true });
const MATCH = defineTransform({ ...described, ...transform, ...reading() });
const SINK = defineSink({ ...described, ...sink });

const handlersOf = (definitions: readonly HandlerDefinition[]): HandlerConfig[] =>
  definitions.map((definition) => ({ id: 'default/x', definition, options: {}, secrets: [], at: '' }));
const chain = (...definitions: HandlerDefinition[]) => ({ handlers: handlersOf(definitions), branches: [] });
const withBranches = (own: HandlerDefinition[], ...branches: HandlerDefinition[][]) => ({
  handlers: handlersOf(own),
  branches: branches.map((definitions, n) => ({
    ...chain(...definitions),
    name: `default/${n}`,
    fingerprint: '',
    resources: [],
    retry: { retries: 3, minTimeoutMs: 1_000, factor: 5, deferForMs: 900_000 },
    concurrency: 8,
    awayFrom: undefined,
    coalesce: true,
  })),
});

describe('interestOf()', () => {
  test('is what the gate reads, whatever comes after it', () => {
    assert.deepEqual(interestOf(chain(GATE, SINK)), { except: ['metadata.generation', 'status'] });
  });

  test('ignores a transform before the gate, which only decides what reaches it', () => {
    assert.deepEqual(interestOf(chain(MATCH, GATE, SINK)), { except: ['metadata.generation', 'status'] });
  });

  test('is everything when a sink without reads comes before the gate', () => {
    assert.deepEqual(interestOf(chain(SINK, GATE)), EVERYTHING);
  });

  test('includes what a stateful handler before the gate reads', () => {
    const counting = defineStateful({ ...described, ...stateful, ...reading('status') });
    assert.deepEqual(interestOf(chain(counting, GATE)), { except: ['status'] });
  });

  test('is everything without a gate', () => {
    assert.deepEqual(interestOf(chain(MATCH, SINK)), EVERYTHING);
    assert.deepEqual(interestOf(chain()), EVERYTHING);
  });

  test('without a gate in the chain is the union of what the branches read', () => {
    const other = defineTransform({ ...described, ...transform, ...reading('status'), gate: true });
    assert.deepEqual(interestOf(withBranches([MATCH], [GATE, SINK], [other, SINK])), { except: ['status'] });
    assert.deepEqual(interestOf(withBranches([], [GATE, SINK], [SINK])), EVERYTHING);
    assert.deepEqual(interestOf(withBranches([SINK], [GATE, SINK])), EVERYTHING);
  });

  test('is what the gate before the branches reads, whatever they read', () => {
    assert.deepEqual(interestOf(withBranches([GATE], [SINK])), { except: ['metadata.generation', 'status'] });
  });
});
