/** The part of the page that is the same for all, read once for all viewers. */
import { deadLetters } from './dead-letter-routes.ts';
import { fragments } from './page.ts';
import type { LetterRow, LiveModel } from './page-model.ts';
import type { PodQueries } from './pods/pod-queries.ts';
import { PodTable } from './pods/pod-rows.ts';
import type { ServiceView } from './service-view.ts';
import type { DeadLetter } from '../store/looking-back.ts';

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
  readonly #service: ServiceView;
  readonly #podQueries: PodQueries;
  readonly #podTable: PodTable;
  #latest: Latest | undefined;

  constructor(service: ServiceView, podQueries: PodQueries) {
    this.#service = service;
    this.#podQueries = podQueries;
    this.#podTable = new PodTable(service, podQueries);
  }

  /** For a page, which fetches the newest state once it is loaded: may be a few seconds old, while a new read is under way. */
  async soon(): Promise<LiveModel> {
    const before = this.#latest;
    const isRecent = before !== undefined && before.at + RECENT_MS > this.#service.clock.monotonic();
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
    const now = this.#service.clock.monotonic();
    if (this.#latest !== undefined && this.#latest.at + FRESH_MS > now) return this.#latest;
    const latest: Latest = { model: this.#read(), at: now };
    latest.model.catch(() => (this.#latest = undefined));
    this.#latest = latest;
    return latest;
  }

  async #read(): Promise<LiveModel> {
    const service = this.#service;
    const store = service.store();
    const [balances = [], letters, pods] = await Promise.all([
      store?.balances(),
      deadLetters(service, letterRowOf),
      // A standby knows no pods: an empty list would be a lie.
      this.#podQueries.isWatching && store !== undefined ? this.#podTable.rows() : undefined,
    ]);
    return {
      now: service.clock.now(),
      health: service.health(),
      balances,
      deadLetters: letters,
      receivers: service.receivers(),
      pods,
    };
  }
}

function letterRowOf({ id, diedAt, handler, error, change: { gvk, key } }: DeadLetter): LetterRow {
  return { id, diedAt, handler, error, kind: gvk.kind, key };
}
