/** The part of the page that is the same for all, read once for all viewers. */
import { deadLetters } from './dead-letter-routes.ts';
import { fragments } from './page.ts';
import type { LetterRow, LiveModel } from './page-model.ts';
import type { PodDesk } from './pods/pod-desk.ts';
import { PodBoard } from './pods/pod-rows.ts';
import type { Outlook } from './outlook.ts';
import type { DeadLetter } from '../store/store.ts';

/** How long what one viewer has fetched is fresh enough for the others. */
const FRESH_MS = 1_000;
/** How long it is fresh enough for the first moments of a page. */
const RECENT_MS = 10_000;

interface Latest {
  readonly model: Promise<LiveModel>;
  /** On the monotonic clock. */
  readonly at: number;
  fragments?: Promise<string>;
}

/** Reads at most once a second, and only when somebody asks. */
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

  /** For a page, which fetches the newest state once it is loaded: may be a few seconds old, while a new read is under way. */
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
      // A standby knows no pods: an empty list would be a lie.
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
