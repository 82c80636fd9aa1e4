/** What may explain a change: what happened before it, and what the cluster says about its object now. */
import type { Change, Manifest } from '../change.ts';
import type { Clock } from '../clock.ts';
import { WaitError } from '../errors.ts';
import { parseManifest } from '../parse-json.ts';
import type { HistoryQuery } from '../store/looking-back.ts';
import type { Store } from '../store/store.ts';
import { textRedactor } from './redact-text.ts';

/** A summary of a Kubernetes Event. */
export interface EventLine {
  /** When it last happened, RFC 3339. */
  readonly time: string;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
}

export interface Evidence {
  /** The recorded changes of all chains. */
  history(query: HistoryQuery): Promise<readonly Change[]>;
  /**
   * The last accepted manifest of an object that some chain watches; undefined if none does, or if the object is gone.
   * @throws WaitError during the first list of its kind, when an object that is not held may still exist
   */
  held(group: string, resource: string, key: string): Promise<Manifest | undefined>;
  /**
   * The last Events of an object, the newest last. Empty if they may not be listed, if the API server fails or does not
   * answer within 2 s, or if there were too many requests lately. Never throws.
   */
  eventsOf(
    object: { readonly namespace: string; readonly uid: string },
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly EventLine[]>;
  /** The end of a container's log, at most 16 KiB, apparent secrets hidden. Undefined for the reasons in {@link eventsOf}. */
  logTail(container: ContainerLog, signal: AbortSignal): Promise<string | undefined>;
  /** The text with apparent secrets hidden, judged by the names in `[redact]` and by their form. */
  redacted(text: string): string;
}

export interface ContainerLog {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** The log of the previous instance of the container. */
  readonly previous: boolean;
  readonly lines: number;
}

/** How often to check whether a first list is over. */
const FIRST_LIST_POLL_MS = 1_000;

/**
 * Like `evidence`, but an object that is not held does not count as gone while its kind is listed for the first time: the baseline
 * of a kind that left the configuration is deleted, the states and wake-ups of handlers are not.
 */
export function waitForFirstList(
  evidence: Evidence,
  isListing: (group: string, resource: string) => boolean,
  clock: Pick<Clock, 'steady'>,
): Evidence {
  return {
    ...evidence,
    async held(group, resource, key) {
      // Checked first, because the list may end meanwhile.
      const isFirstList = isListing(group, resource);
      const manifest = await evidence.held(group, resource, key);
      if (manifest !== undefined || !isFirstList) return manifest;
      throw new WaitError(clock.steady() + FIRST_LIST_POLL_MS, `Waiting for the first list of ${resource}`);
    },
  };
}

/**
 * Uses only what was recorded: for when lookups are switched off, or there is no cluster.
 * @param secretNames current names of environment variables: they may change while the service runs
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
