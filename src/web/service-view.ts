/** What the page and its endpoints may ask the service. All of it works at any time, even before the cluster is reached. */
import type { Clock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import type { ReceiverState } from '../delivery/receiver.ts';
import type { Health } from '../health.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { ApiClient } from '../source/api.ts';
import type { Store } from '../store/store.ts';

export interface ServiceView {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** The running configuration. */
  config(): Config;
  health(): Health;
  receivers(): readonly ReceiverState[];
  /** Undefined until the cluster is reached. */
  clusterName(): string | undefined;
  /** Undefined until it is open. */
  store(): Store | undefined;
  /** Undefined until credentials are found. */
  api(): ApiClient | undefined;
}
