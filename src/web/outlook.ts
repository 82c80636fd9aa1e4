/** What the page and its endpoints may ask of the service. All of it may be asked at any time: before the cluster was reached, too. */
import type { Clock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import type { ReceiverState } from '../delivery/receiver.ts';
import type { Health } from '../health.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { ApiClient } from '../source/api.ts';
import type { Store } from '../store/store.ts';

export interface Outlook {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** That runs. */
  config(): Config;
  health(): Health;
  receivers(): readonly ReceiverState[];
  /** Undefined until the cluster was reached. */
  clusterName(): string | undefined;
  /** Undefined until it is open. */
  store(): Store | undefined;
  /** Undefined until credentials were found. */
  api(): ApiClient | undefined;
}
