/** How the service is, for `/readyz` and for tests. */
import type { ScopeHealth } from './source/source.ts';

export interface Health {
  /** The stages run, every scope is watched or named in `degraded`, and at least one is watched. */
  readonly ready: boolean;
  readonly phase: 'connecting' | 'starting' | 'running' | 'stopping';
  readonly degraded: readonly ScopeHealth[];
  readonly scopes: readonly ScopeHealth[];
  /** Why the configuration file on disk is not the one that runs; undefined: it is. */
  readonly configProblem: string | undefined;
}
