/** What the program passes to a handler, for tests that call one directly. */
import { PassThrough } from 'node:stream';
import { Registry } from 'prom-client';
import { createLogger } from 'winston';
import type { Change } from '../change.ts';
import {
  isHalt,
  type HandlerContext,
  type HandlerDefinition,
  type HandlerEnvironment,
  type SinkMemory,
} from '../chain/handler.ts';
import { systemClock } from '../clock.ts';
import { OFFLINE_ENRICHER } from '../enrich/enricher.ts';
import { recordedEvidence } from '../enrich/evidence.ts';
import { HandlerCounters } from '../handler-counters.ts';
import type { Json } from '../json.ts';

const log = createLogger({ silent: true });

/** An environment without access to anything but what is given. */
export function testEnvironment(parts: Partial<HandlerEnvironment> = {}): HandlerEnvironment {
  const receivers = {
    receiver: () => {
      throw new Error('This test has no receivers');
    },
  };
  return {
    id: 'default/test',
    clusterName: 'test',
    log,
    clock: systemClock,
    receivers,
    memory: testMemory(),
    counters: new HandlerCounters(new Registry()),
    // Read, so that waiting for a write does not take forever.
    stdout: new PassThrough().resume(),
    ...parts,
  };
}

/** A sink's memory without a store behind it. */
export function testMemory(): SinkMemory {
  const values = new Map<string, Json>();
  return {
    get: async (key) => values.get(key),
    set: async (key, value) => {
      if (value === null) values.delete(key);
      else values.set(key, value);
    },
  };
}

/** The context of a first attempt. */
export function testContext(parts: Partial<HandlerContext> = {}): HandlerContext {
  const { signal } = new AbortController();
  return {
    id: 'default/test',
    signal,
    log,
    idempotencyKey: 'cluster-1|uid-1|updated:1|default/test',
    attempt: 1,
    involved: (change) => OFFLINE_ENRICHER.involved(change, signal),
    topOwner: (change) => OFFLINE_ENRICHER.topOwner(change, signal),
    namespaceOf: (change) => OFFLINE_ENRICHER.namespaceOf(change, signal),
    evidence: recordedEvidence(
      { history: () => Promise.resolve([]), baseline: () => Promise.resolve(undefined) },
      () => [],
    ),
    ...parts,
  };
}

/** What a transform with these options says about the change: `pass`, or why it halts. */
export async function verdictOf(
  definition: HandlerDefinition,
  options: object,
  change: Change,
  context: Partial<HandlerContext> = {},
): Promise<string> {
  if (definition.type !== 'transform') throw new Error(`${definition.name} is not a transform`);
  const handler = definition.create(definition.options.parse(options), testEnvironment());
  const verdict = await handler.handle(change, testContext(context));
  return isHalt(verdict) ? verdict.reason : 'pass';
}

/** The problems of the options, each with its path; empty if they are valid. */
export function problemsOf({ options }: HandlerDefinition, given: object): readonly string[] {
  const issues = options.safeParse(given).error?.issues ?? [];
  return issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`));
}
