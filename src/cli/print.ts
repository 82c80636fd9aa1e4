/** Prints output that may not fit into memory. */
import { once } from 'node:events';
import type { CommandIo } from './command.ts';

/** Waits until there is room for more, or the command is asked to stop: output not yet taken by a slow reader stays in memory. */
export async function print(text: string, { stdout, signal }: Pick<CommandIo, 'stdout' | 'signal'>): Promise<void> {
  if (stdout.write(text) || signal.aborted) return;
  try {
    await once(stdout, 'drain', { signal });
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
  }
}
