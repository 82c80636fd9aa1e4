/**
 * The schema. Rows are small and refer to bodies by number: the same manifest is the `after` of one change, the
 * `before` of the next and the baseline in between, and is stored once.
 */

/** State of a delivery that waits at a sink for others. Partial indexes rely on unfinished states sorting before ended ones. */
export const GATHERED = -1;
export const READY = 0;
/** Waits for its predecessor in the same chain and queue. */
export const BLOCKED = 1;
/** Waits for a time. */
export const PARKED = 2;
export const DEAD = 3;
export const DONE = 4;

/** One step per released schema, never edited afterwards; `user_version` is how many have run. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;

  CREATE TABLE kinds (
    id INTEGER PRIMARY KEY,
    grp TEXT NOT NULL, version TEXT NOT NULL, kind TEXT NOT NULL, resource TEXT NOT NULL,
    UNIQUE (grp, resource, version, kind)
  );

  CREATE TABLE scopes (
    id INTEGER PRIMARY KEY,
    grp TEXT NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL,
    label_selector TEXT NOT NULL, field_selector TEXT NOT NULL,
    kind INTEGER NOT NULL REFERENCES kinds,
    chains TEXT NOT NULL,                       -- JSON array
    cursor TEXT, basis TEXT,                    -- basis: JSON; both NULL until a list was complete
    UNIQUE (grp, resource, namespace, label_selector, field_selector)
  );

  -- uses: how many of baseline, staged, changes.before and changes.after mean this body; at 0 the row goes.
  CREATE TABLE bodies (id INTEGER PRIMARY KEY, uses INTEGER NOT NULL, bytes BLOB NOT NULL);

  CREATE TABLE baseline (
    scope INTEGER NOT NULL, key TEXT NOT NULL,
    uid TEXT NOT NULL, rv TEXT NOT NULL, digest INTEGER NOT NULL,
    body INTEGER NOT NULL,
    known BLOB,                                 -- see attribution.ts
    PRIMARY KEY (scope, key)
  ) WITHOUT ROWID;

  CREATE TABLE staged (
    id INTEGER PRIMARY KEY, scope INTEGER NOT NULL,
    bits INTEGER NOT NULL, key TEXT NOT NULL, uid TEXT NOT NULL, rv TEXT NOT NULL, digest INTEGER NOT NULL,
    body INTEGER, size INTEGER NOT NULL, managed BLOB
  );
  CREATE INDEX staged_scope ON staged (scope);

  -- AUTOINCREMENT: an accept number is never reused, even when every row was pruned.
  CREATE TABLE changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    action INTEGER NOT NULL, kind INTEGER NOT NULL REFERENCES kinds,
    key TEXT NOT NULL, uid TEXT NOT NULL, rv TEXT NOT NULL,
    before INTEGER, after INTEGER,
    actors TEXT NOT NULL,                       -- JSON array of Actor
    observed_at INTEGER NOT NULL, flags INTEGER NOT NULL,
    size INTEGER NOT NULL                       -- what it adds to the history, in bytes
  );
  CREATE INDEX changes_key ON changes (key);

  CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    chain TEXT NOT NULL, change INTEGER NOT NULL REFERENCES changes,
    queue TEXT NOT NULL,                        -- resource.group/key: the object by name
    state INTEGER NOT NULL,
    due_at INTEGER,                             -- of a parked one
    attempts INTEGER NOT NULL DEFAULT 0, deferred_since INTEGER,
    delivered TEXT NOT NULL DEFAULT '[]',       -- JSON array of handler ids
    replayed INTEGER NOT NULL DEFAULT 0, timer_of TEXT,
    outcome TEXT, handler TEXT, reason TEXT, ended_at INTEGER
  );
  CREATE INDEX deliveries_change ON deliveries (change);
  CREATE INDEX deliveries_ready ON deliveries (chain, id) WHERE state = ${READY};
  CREATE INDEX deliveries_parked ON deliveries (chain, due_at) WHERE state = ${PARKED};
  CREATE INDEX deliveries_queue ON deliveries (chain, queue, state) WHERE state < ${DEAD};
  CREATE INDEX deliveries_dead ON deliveries (id) WHERE state = ${DEAD};

  CREATE TABLE timers (
    chain TEXT NOT NULL, handler TEXT NOT NULL, queue TEXT NOT NULL,
    kind INTEGER NOT NULL REFERENCES kinds, key TEXT NOT NULL, uid TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    PRIMARY KEY (chain, handler, queue)
  ) WITHOUT ROWID;
  CREATE INDEX timers_due ON timers (chain, due_at);

  CREATE TABLE states (
    handler TEXT NOT NULL, queue TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (handler, queue)
  ) WITHOUT ROWID;

  CREATE TABLE counters (
    chain TEXT PRIMARY KEY,
    accepted INTEGER NOT NULL DEFAULT 0, replayed INTEGER NOT NULL DEFAULT 0,
    completed INTEGER NOT NULL DEFAULT 0, halted INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0,
    superseded INTEGER NOT NULL DEFAULT 0, discarded INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID;

  INSERT INTO facts VALUES ('store.epoch', 0), ('store.history-bytes', 0);
  `,
  `
  -- times: equal deferrals in a row are one row.
  CREATE TABLE failures (
    delivery INTEGER NOT NULL, n INTEGER NOT NULL,
    outcome TEXT NOT NULL, attempt INTEGER NOT NULL, handler TEXT NOT NULL, error TEXT NOT NULL,
    at INTEGER NOT NULL, times INTEGER NOT NULL, last_at INTEGER NOT NULL,
    PRIMARY KEY (delivery, n)
  ) WITHOUT ROWID;
  `,
  `
  CREATE TABLE memory (
    handler TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (handler, key)
  ) WITHOUT ROWID;
  CREATE INDEX memory_at ON memory (at);
  `,
  `
  -- What the handlers before a branch made of a change (edits.ts), for as long as a delivery means it.
  CREATE TABLE edits (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
  ALTER TABLE deliveries ADD COLUMN edits INTEGER;
  CREATE INDEX deliveries_edits ON deliveries (edits) WHERE edits IS NOT NULL;
  `,
  `
  -- Which rules of redaction a body is under. What nothing means any more has none.
  ALTER TABLE bodies ADD COLUMN kind INTEGER NOT NULL DEFAULT 0 REFERENCES kinds;
  UPDATE bodies SET kind = s.kind FROM baseline b JOIN scopes s ON s.id = b.scope WHERE b.body = bodies.id;
  UPDATE bodies SET kind = c.kind FROM changes c WHERE c.after = bodies.id;
  UPDATE bodies SET kind = c.kind FROM changes c WHERE c.before = bodies.id;
  `,
  `
  -- Of a gathered one: the sink that waits for it, and the batch that it belongs to once its members are fixed.
  ALTER TABLE deliveries ADD COLUMN gather TEXT;
  ALTER TABLE deliveries ADD COLUMN batch INTEGER;
  CREATE INDEX deliveries_gathered ON deliveries (chain, due_at) WHERE state = ${GATHERED};
  `,
  `
  -- Of a merged one: the newest change that it tells, and who made all of them (JSON array of Actor).
  ALTER TABLE deliveries ADD COLUMN newest INTEGER;
  ALTER TABLE deliveries ADD COLUMN actors TEXT;
  CREATE INDEX deliveries_newest ON deliveries (newest) WHERE newest IS NOT NULL;
  `,
  `
  -- How often it was being worked on when the process died; see crashes.ts.
  ALTER TABLE deliveries ADD COLUMN claims INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX deliveries_claims ON deliveries (chain, id) WHERE claims > 0;
  `,
  `
  -- JSON of another cluster, which the store was of before; NULL: it is of the one that the store is of.
  ALTER TABLE changes ADD COLUMN cluster TEXT;
  `,
  `
  -- From when on it is late, if not from when its change was seen: the end of a hold, the time of a replay.
  ALTER TABLE deliveries ADD COLUMN due_since INTEGER;
  CREATE INDEX deliveries_due_since ON deliveries (chain, due_since) WHERE due_since IS NOT NULL AND state < ${DEAD};
  DROP INDEX deliveries_parked;
  DROP INDEX deliveries_gathered;
  CREATE INDEX deliveries_parked ON deliveries (chain, due_at, due_since) WHERE state = ${PARKED};
  CREATE INDEX deliveries_gathered ON deliveries (chain, due_at, due_since) WHERE state = ${GATHERED};
  `,
];
