import { setTimeout as delay } from 'node:timers/promises';
import { PATIENCE_MS } from '../src/testing/waiters.ts';

const LOOK_EVERY_MS = 20;

/** Polls until the condition holds, for state that has no notifications. Rejects after `patienceMs`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const giveUpAt = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`Waited ${patienceMs} ms in vain for ${what}`);
    await delay(LOOK_EVERY_MS);
  }
}
