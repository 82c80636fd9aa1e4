/** What explains a change: what happened before it, and what the cluster says of its object now. */
import type { Change, Manifest } from '../change.ts';
import { parseManifest } from '../parse.ts';
import type { HistoryQuery, Store } from '../store/store.ts';
import { textRedactor } from './redact-text.ts';

/** A Kubernetes Event of an object, in short. */
export interface EventLine {
  /** RFC 3339; when it happened last. */
  readonly time: string;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
}

export interface Evidence {
  /** Changes that were recorded, of every chain. */
  history(query: HistoryQuery): Promise<readonly Change[]>;
  /** The last accepted manifest of an object that some chain watches; undefined when none does. */
  held(group: string, resource: string, key: string): Promise<Manifest | undefined>;
  /**
   * The last Events of an object, the newest last. Nothing when they may not be listed, when the API server fails or does not
   * answer within 2 s, or when too much was asked lately: it never throws.
   */
  eventsOf(
    object: { readonly namespace: string; readonly uid: string },
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly EventLine[]>;
  /** The end of a container's log, at most 16 KiB, what looks like a secret hidden. Undefined as {@link eventsOf} is empty. */
  logTail(container: ContainerLog, signal: AbortSignal): Promise<string | undefined>;
  /** The text with what looks like a secret hidden, by the names of `[redact]` and by its look. */
  redacted(text: string): string;
}

export interface ContainerLog {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Of the one that ran before this one. */
  readonly previous: boolean;
  readonly lines: number;
}

/**
 * Knows what was recorded, and asks nobody: lookups are switched off, or there is no cluster.
 * @param secretNames of environment variables, as of today: they may change while the service runs
 */
export function recordedEvidence(
  store: Pick<Store, 'history' | 'baseline'>,
  secretNames: () => readonly string[],
): Evidence {
  return {
    history: (query) => store.history(query),
    async held(group, resource, key) {
      const body = await store.baseline(group, resource, key);
      return body === undefined ? undefined : parseManifest(body);
    },
    eventsOf: () => Promise.resolve([]),
    logTail: () => Promise.resolve(undefined),
    redacted: textRedactor(secretNames),
  };
}
