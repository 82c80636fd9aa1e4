/** Checks of a configuration that need its handlers to be created. */
import { problemsOfHandlers } from '../chain/step.ts';
import { systemClock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import { createReceivers } from '../delivery/receivers.ts';
import { ConfigError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { createMetrics } from '../metrics.ts';

export interface TrialOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: NodeJS.WritableStream;
  readonly log: Logger;
}

/** @throws ConfigError with what would prevent a start or a reload although each table by itself is valid */
export async function assertCanStart({ chains, cluster }: Config, options: TrialOptions): Promise<void> {
  const common = { clock: systemClock, clusterName: cluster.name ?? '', ...options };
  const metrics = createMetrics();
  const receivers = createReceivers({ ...common, metrics });
  try {
    const store = { recall: async () => undefined, remember: async () => {} };
    const environment = { ...common, receivers, counters: metrics.counters, store };
    const problems = chains.flatMap((chain) => problemsOfHandlers(chain, environment));
    if (problems.length > 0) throw new ConfigError(problems);
  } finally {
    await receivers.close();
  }
}
