/** What everybody sees on the page, read once for all who look. */
import { deadLetters } from './dead-letter-routes.ts';
import { fragments } from './page.ts';
import type { LetterRow, LiveModel } from './page-model.ts';
import type { PodDesk } from './pods/pod-desk.ts';
import { PodBoard } from './pods/pod-rows.ts';
import type { Outlook } from './outlook.ts';
import type { DeadLetter } from '../store/store.ts';

/** For how long what one has fetched is good enough for the others. */
const FRESH_MS = 1_000;
/** For how long it is good enough for the first moment of a page. */
const RECENT_MS = 10_000;

interface Latest {
  readonly model: Promise<LiveModel>;
  /** On the monotonic clock. */
  readonly at: number;
  fragments?: Promise<string>;
}

/** Read once a second at most, and only when somebody asks. */
export class LiveModels {
  readonly #outlook: Outlook;
  readonly #desk: PodDesk;
  readonly #board: PodBoard;
  #latest: Latest | undefined;

  constructor(outlook: Outlook, desk: PodDesk) {
    this.#outlook = outlook;
    this.#desk = desk;
    this.#board = new PodBoard(outlook, desk);
  }

  /** For a page, which fetches what is newer as soon as it is there: what is a few seconds old, while it is read anew. */
  async soon(): Promise<LiveModel> {
    const before = this.#latest;
    const isRecent = before !== undefined && before.at + RECENT_MS > this.#outlook.clock.monotonic();
    const { model } = this.#current();
    return isRecent ? before.model : model;
  }

  /** As HTML, the same for all. */
  fragments(): Promise<string> {
    const latest = this.#current();
    latest.fragments ??= latest.model.then(async (model) => String(await fragments(model)));
    return latest.fragments;
  }

  #current(): Latest {
    const now = this.#outlook.clock.monotonic();
    if (this.#latest !== undefined && this.#latest.at + FRESH_MS > now) return this.#latest;
    const latest: Latest = { model: this.#read(), at: now };
    latest.model.catch(() => (this.#latest = undefined));
    this.#latest = latest;
    return latest;
  }

  async #read(): Promise<LiveModel> {
    const outlook = this.#outlook;
    const store = outlook.store();
    const [balances = [], letters, pods] = await Promise.all([
      store?.balances(),
      deadLetters(outlook, letterRowOf),
      // Who waits for its turn knows of no pods: none at risk would be a lie.
      this.#desk.isWatching && store !== undefined ? this.#board.rows() : undefined,
    ]);
    return {
      health: outlook.health(),
      balances,
      deadLetters: letters,
      receivers: outlook.receivers(),
      pods,
    };
  }
}

function letterRowOf({ id, diedAt, handler, error, change: { gvk, key } }: DeadLetter): LetterRow {
  return { id, diedAt, handler, error, kind: gvk.kind, key };
}
