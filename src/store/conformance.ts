/** The tests that every implementation of the Store contract must pass. */
import { describe } from 'node:test';
import { acceptance } from './conformance/acceptance.ts';
import { batches } from './conformance/batches.ts';
import { baselines } from './conformance/baselines.ts';
import { deadLetters } from './conformance/dead-letters.ts';
import { deliveries } from './conformance/deliveries.ts';
import { durability } from './conformance/durability.ts';
import { forgetting } from './conformance/forgetting.ts';
import type { StoreFixture } from './conformance/fixture.ts';
import { history } from './conformance/history.ts';
import { merging } from './conformance/merging.ts';
import { memory } from './conformance/memory.ts';
import { sinkMemory } from './conformance/sink-memory.ts';
import { trips } from './conformance/trips.ts';

/** Registers the suite for one implementation. */
export function describeStore(name: string, fixture: StoreFixture): void {
  describe(name, () => {
    acceptance(fixture);
    baselines(fixture);
    deliveries(fixture);
    batches(fixture);
    merging(fixture);
    memory(fixture);
    deadLetters(fixture);
    history(fixture);
    forgetting(fixture);
    trips(fixture);
    sinkMemory(fixture);
    if (fixture.durable) durability(fixture);
  });
}
