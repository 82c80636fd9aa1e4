/** For tests: a sink that puts several changes into one message, and what it was told. */
import assert from 'node:assert/strict';
import type { HandlerContext, HandlerDefinition } from '../chain/handler.ts';
import type { Change } from '../change.ts';
import { WaitError } from '../errors.ts';
import { sink, type TestChain } from './test-chain.ts';

export interface Told {
  readonly names: readonly string[];
  readonly key: string;
}

export interface Channel {
  readonly told: Told[];
  readonly definition: HandlerDefinition;
  /** Thrown by the next messages, one by each; undefined by one that is delivered. */
  readonly failures: unknown[];
}

/** A sink that puts up to `fits` changes into one message. `wait` returns when it may be sent, like a rate limit. */
export function channel(options: { fits?: number; wait?: () => number | undefined } = {}): Channel {
  const told: Told[] = [];
  const failures: unknown[] = [];
  const message = (changes: readonly Change[], { idempotencyKey }: HandlerContext): Promise<void> => {
    const until = options.wait?.();
    if (until !== undefined) return Promise.reject(new WaitError(until));
    const names = changes.map(({ name }) => name);
    told.push({ names, key: idempotencyKey });
    const failure = failures.shift();
    return failure === undefined ? Promise.resolve() : Promise.reject(failure);
  };
  const { fits = 1_000 } = options;
  const definition = sink('slack', (change, context) => message([change], context), {
    deliverMany: message,
    fits: () => fits,
  });
  return { told, failures, definition };
}

export const named = (count: number, prefix = 'o'): string[] =>
  Array.from({ length: count }, (_, n) => `shop/${prefix}${n}`);
export const namesOf = (told: readonly Told[]): string[] => told.flatMap(({ names }) => names);
export const sizes = (told: readonly Told[]): number[] => told.map(({ names }) => names.length);

export async function assertAllDone({ store }: TestChain, count: number): Promise<void> {
  const [balance] = await store.balances();
  assert.deepEqual([balance?.completed, balance?.pending], [count, 0]);
}
