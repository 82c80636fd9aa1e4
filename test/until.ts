import { setTimeout as delay } from 'node:timers/promises';

const LOOK_EVERY_MS = 20;

/** Resolves when the condition holds, for what tells nobody that it has changed. Rejects after `patienceMs`, default 60 s: a busy machine takes 20 for a start. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  patienceMs = 60_000,
): Promise<void> {
  const giveUpAt = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`Waited ${patienceMs} ms in vain for ${what}`);
    await delay(LOOK_EVERY_MS);
  }
}
