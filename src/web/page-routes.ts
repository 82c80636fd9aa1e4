/** The page, the parts of it that are fetched again, and what it loads. */
import type { Context } from 'hono';
import { newest, firstProblem } from './change-routes.ts';
import { changesQuery } from './changes.ts';
import { deadLetters } from './dead-letter-routes.ts';
import { propertiesOf } from './schemas.ts';
import { linkBase } from './link-base.ts';
import { fragments, page, type LiveModel } from './page.ts';
import type { PodDesk } from './pods/pod-desk.ts';
import { podRowsOf } from './pods/pod-rows.ts';
import type { Route, RouteParts } from './route.ts';

/** For how long what one has fetched is good enough for the others. */
const FRESH_MS = 1_000;
/** For how long it is good enough for the first moment of a page. */
const RECENT_MS = 10_000;

export function pageRoutes(parts: RouteParts, desk: PodDesk): readonly Route[] {
  const live = new LiveModels(parts, desk);
  return [
    {
      method: 'GET',
      path: '/',
      access: 'read',
      summary: 'The page.',
      query: propertiesOf(changesQuery),
      answer: (c) => pageOf(c, parts, live),
    },
    {
      method: 'GET',
      path: '/fragments',
      access: 'read',
      summary: 'The sections of the page but for the changes, as HTML.',
      answer: async (c) => c.html(await live.fragments()),
    },
    {
      method: 'GET',
      path: '/assets/:name',
      access: 'open',
      summary: 'What the page loads.',
      answer: (c) => {
        const asset = parts.assets.get(c.req.param('name') ?? '');
        return asset === undefined ? c.notFound() : c.body(asset.body, 200, { 'content-type': asset.type });
      },
    },
  ];
}

async function pageOf(c: Context, { outlook, settings }: RouteParts, live: LiveModels): Promise<Response> {
  const parsed = changesQuery.safeParse(c.req.query());
  const query = parsed.success ? parsed.data : changesQuery.parse({});
  const [found, model] = await Promise.all([
    parsed.success ? newest(outlook, query) : { changes: [], problem: firstProblem(parsed.error) },
    live.soon(),
  ]);
  const { changes, problem: queryProblem } = found;
  const base = linkBase(c, settings.basePath);
  return c.html(page({ ...model, base, query, queryProblem, changes }));
}

interface Latest {
  readonly model: Promise<LiveModel>;
  /** On the monotonic clock. */
  readonly at: number;
  fragments?: Promise<string>;
}

/** What everybody sees, read once a second at most. */
class LiveModels {
  readonly #parts: RouteParts;
  readonly #desk: PodDesk;
  #latest: Latest | undefined;

  constructor(parts: RouteParts, desk: PodDesk) {
    this.#parts = parts;
    this.#desk = desk;
  }

  /** For a page, which fetches what is newer as soon as it is there: what is a few seconds old, while it is read anew. */
  async soon(): Promise<LiveModel> {
    const before = this.#latest;
    const isRecent = before !== undefined && before.at + RECENT_MS > this.#parts.outlook.clock.monotonic();
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
    const now = this.#parts.outlook.clock.monotonic();
    if (this.#latest !== undefined && this.#latest.at + FRESH_MS > now) return this.#latest;
    const latest: Latest = { model: this.#read(), at: now };
    latest.model.catch(() => (this.#latest = undefined));
    this.#latest = latest;
    return latest;
  }

  async #read(): Promise<LiveModel> {
    const { outlook } = this.#parts;
    const [balances = [], letters, pods] = await Promise.all([
      outlook.store()?.balances(),
      deadLetters(outlook),
      this.#desk.isWatching ? podRowsOf(outlook, this.#desk) : undefined,
    ]);
    return {
      cluster: outlook.clusterName() ?? 'connecting',
      health: outlook.health(),
      balances,
      deadLetters: letters,
      receivers: outlook.receivers(),
      pods,
    };
  }
}
