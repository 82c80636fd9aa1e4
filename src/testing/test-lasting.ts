/** The handler `lasting` behind a chain on a real store, with a clock that tests move. */
import type { TestContext } from 'node:test';
import lasting from '../../handlers/lasting/index.ts';
import quiet from '../../handlers/quiet/index.ts';
import type { Change } from '../change.ts';
import type { HandlerDefinition } from '../chain/handler.ts';
import { remarksOf } from '../change/remarks.ts';
import { configured, recording, startTestChain, type TestChain } from './test-chain.ts';

export const MINUTE = 60_000;
export const KEY = 'shop/web';

/** The object fails in its versions 2, 3 and 6: versions rise by one with each change. */
export const failing = (more: object = {}) =>
  configured(lasting, { field: { version: '^[236]$' }, for: '5m', ...more });

/** On the first day of the fake clock, which begins at midnight. */
export function quietBetween(from: string, until: string): HandlerDefinition {
  return configured(quiet, { from: `2026-01-01T${from}:00Z`, until: `2026-01-01T${until}:00Z` });
}

export interface Scene {
  readonly chain: TestChain;
  /** What a sink behind the handler got. */
  readonly seen: readonly Change[];
  readonly sink: HandlerDefinition;
}

/** A chain that has seen version 1. */
export async function start(t: TestContext, ...handlers: HandlerDefinition[]): Promise<Scene> {
  const seen: Change[] = [];
  const sink = recording('sink', seen);
  const chain = await startTestChain(t, { handlers: [...(handlers.length === 0 ? [failing()] : handlers), sink] });
  await accept(chain, 1);
  return { chain, seen, sink };
}

export async function accept(chain: TestChain, times: number): Promise<void> {
  for (let n = 0; n < times; n++) await chain.accept(KEY);
  await chain.runner.idle();
}

/** In steps, so that a wake-up is not late. */
export async function pass(chain: TestChain, minutes: number): Promise<void> {
  for (let n = 0; n < minutes * 12; n++) await chain.advance(MINUTE / 12);
}

export const told = (seen: readonly Change[]): string[] =>
  seen.map((change) => {
    const { action, before, after } = change;
    const versions = [before, after].map((manifest) => JSON.stringify(manifest?.['version']) ?? '-').join(' -> ');
    return [action, versions, ...remarksOf(change)].join(', ');
  });

/** Why changes were halted, without the times until when they wait. */
export const reasons = ({ logged }: TestChain): string[] =>
  logged
    .filter(({ message }) => message === 'Change halted')
    .map(({ reason }) => String(reason).replace(/ until [^ ]+Z/, ''));
