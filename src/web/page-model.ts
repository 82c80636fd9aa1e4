/** What the page shows. Texts are as they came: the page escapes them. */
import type { ReceiverState } from '../delivery/receiver.ts';
import type { Health } from '../health.ts';
import type { Balance, DeadLetter } from '../store/store.ts';
import type { ChangesQuery, ShownChange } from './changes.ts';
import type { PodRows } from './pods/pod-rows.ts';

/** A dead letter, without its manifests. */
export interface LetterRow extends Pick<DeadLetter, 'id' | 'diedAt' | 'handler' | 'error'> {
  readonly kind: string;
  /** Of the object. */
  readonly key: string;
}

/** What changes by itself. */
export interface LiveModel {
  readonly health: Health;
  readonly balances: readonly Balance[];
  readonly deadLetters: readonly LetterRow[];
  readonly receivers: readonly ReceiverState[];
  /** Undefined: nothing looks after pods, or nothing is known of them yet. */
  readonly pods: PodRows | undefined;
}

/** What is known without asking the store. */
export interface TopModel {
  readonly cluster: string;
  readonly health: Health;
  /** Of the addresses in the page. */
  readonly base: string;
  /** By the cookie of a session, which can be ended. */
  readonly isLoggedIn: boolean;
}

export interface PageModel extends LiveModel {
  readonly base: string;
  readonly query: ChangesQuery;
  /** Why the query shows nothing, such as a kind of which nothing is recorded. */
  readonly queryProblem: string | undefined;
  /** Newest first; undefined: the service does not run yet, and knows of none. */
  readonly changes: readonly ShownChange[] | undefined;
}
