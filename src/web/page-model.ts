/** What the page shows. Texts are unescaped: the page escapes them. */
import type { ReceiverState } from '../delivery/receiver.ts';
import type { Health } from '../health.ts';
import type { Balance, DeadLetter } from '../store/looking-back.ts';
import type { ChangesQuery, ShownChange } from './changes.ts';
import type { PodRows } from './pods/pod-rows.ts';

/** A dead letter, without its manifests. */
export interface LetterRow extends Pick<DeadLetter, 'id' | 'diedAt' | 'handler' | 'error'> {
  readonly kind: string;
  /** Of the object. */
  readonly key: string;
}

/** The sections that are refreshed. */
export interface LiveModel {
  /** By the service's clock, milliseconds since the epoch: the viewer's may be wrong. */
  readonly now: number;
  readonly health: Health;
  readonly balances: readonly Balance[];
  readonly deadLetters: readonly LetterRow[];
  readonly receivers: readonly ReceiverState[];
  /** Undefined: no `podAlerts` is configured, or nothing is known about pods yet. */
  readonly pods: PodRows | undefined;
}

/** What is known without asking the store. */
export interface TopModel {
  /** As in {@link LiveModel}. */
  readonly now: number;
  readonly cluster: string;
  readonly health: Health;
  /** The prefix of all links in the page. */
  readonly base: string;
  /** Through a session cookie, so that one can log out. */
  readonly isLoggedIn: boolean;
}

export interface PageModel extends LiveModel {
  readonly base: string;
  readonly query: ChangesQuery;
  /** Why the query shows nothing, such as a kind without any records. */
  readonly queryProblem: string | undefined;
  /** Newest first; undefined: not known, as the service is not running yet. */
  readonly changes: readonly ShownChange[] | undefined;
}
