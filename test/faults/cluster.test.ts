/** Rows 1 to 24: the API server misbehaves while objects change. All is delivered once and in order, and the counters balance. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AnswerEffect, StreamEffect } from '../../src/testing/api-server/faults.ts';
import type { ApiServerOptions } from '../../src/testing/api-server.ts';
import { fasterClock } from '../../src/testing/living-cluster.ts';
import { deployment } from '../e2e/cluster.ts';
import { kwatchmanConfig } from '../e2e/main-job.ts';
import { World, type Running } from '../e2e/world.ts';
import { assertBalanced } from './balance.ts';
import { onlyLong } from './needs.ts';
import { assertComplete, createAll, scaleAll, trackingReceiver } from './stories.ts';

const CHANGING = 10;
const UNCHANGED = 10;
const PATH = '/apis/apps/v1/deployments';
const COMPACTED = 'too old resource version';
const TOO_NEW = { status: 504, reason: 'Timeout', message: 'Too large resource version: 9999, current: 600' };

type Effect = AnswerEffect | StreamEffect;

interface Row {
  readonly row: number;
  readonly what: string;
  /** The fault of an open watch, or of the next. */
  readonly toWatch?: Effect;
  /** The fault of the watches after that. */
  readonly toNextWatches?: Effect & { readonly times?: number };
  /** The fault of the lists after that. */
  readonly toLists?: Effect & { readonly times?: number };
  /** Any other fault. */
  readonly trouble?: (world: World) => void | Promise<void>;
  /** How many lists it may cause, including failed ones. */
  readonly lists: number;
  /** How much faster than real time the service's clock runs. */
  readonly speed?: number;
  readonly cluster?: ApiServerOptions;
  /** Why it runs only in `make test-faults`. */
  readonly long?: string;
}

const ENDS = { effect: 'end' } as const;
const EXPIRES = { effect: 'errorEvent', status: 410, reason: 'Expired', message: COMPACTED } as const;

const ROWS: readonly Row[] = [
  { row: 1, what: 'a TCP reset in the middle of a line', toWatch: { effect: 'resetMidLine' }, lists: 0 },
  { row: 3, what: 'a half-open connection', toWatch: { effect: 'stall' }, lists: 0, speed: 200 },
  {
    row: 4,
    what: 'no response headers for a watch',
    toWatch: ENDS,
    toNextWatches: { effect: 'hang', times: 1 },
    lists: 0,
    long: 'the HTTP client waits 30 real seconds',
  },
  {
    row: 5,
    what: '410 as the status of a watch',
    toWatch: ENDS,
    toNextWatches: { effect: 'status', status: 410, times: 1 },
    lists: 1,
  },
  { row: 6, what: '410 as an ERROR event', toWatch: EXPIRES, lists: 1 },
  {
    row: 8,
    what: '429 with Retry-After on watch',
    toWatch: ENDS,
    toNextWatches: { effect: 'status', status: 429, retryAfterSeconds: 3, times: 2 },
    lists: 0,
    speed: 20,
  },
  {
    row: 8,
    what: '429 with Retry-After on list',
    toWatch: EXPIRES,
    toLists: { effect: 'status', status: 429, retryAfterSeconds: 3, times: 2 },
    lists: 3,
    speed: 20,
  },
  {
    row: 10,
    what: 'truncated JSON with status 200',
    toWatch: EXPIRES,
    toLists: { effect: 'truncate', times: 2 },
    lists: 3,
    speed: 20,
  },
  {
    row: 10,
    what: 'a login page with status 200',
    toWatch: EXPIRES,
    toLists: { effect: 'contentType', contentType: 'text/html', body: '<html>log in</html>', times: 2 },
    lists: 3,
    speed: 20,
  },
  {
    row: 10,
    what: 'JSON that is not a list with status 200',
    toWatch: EXPIRES,
    toLists: { effect: 'contentType', contentType: 'application/json', body: '{"items":[]}', times: 2 },
    lists: 3,
    speed: 20,
  },
  { row: 12, what: 'a truncated chunk', toWatch: { effect: 'truncatedChunk' }, lists: 0 },
  { row: 12, what: 'a chunk with an invalid size', toWatch: { effect: 'badChunkSize' }, lists: 0 },
  { row: 12, what: 'a clean end in the middle of a line', toWatch: { effect: 'endMidLine' }, lists: 0 },
  { row: 13, what: 'the same event twice', toWatch: { effect: 'duplicate' }, lists: 0 },
  {
    row: 17,
    what: '504 "too large resource version"',
    toWatch: ENDS,
    toNextWatches: { effect: 'status', ...TOO_NEW, times: 3 },
    lists: 1,
    speed: 20,
  },
  { row: 24, what: 'a restart', trouble: ({ server }) => server.restart(), lists: 0 },
  {
    row: 24,
    what: 'a restart that compacts its history',
    trouble: ({ server }) => server.restart(() => server.compact()),
    lists: 1,
  },
  {
    row: 61,
    what: 'a 500 as an ERROR event, then 503s',
    toWatch: { effect: 'errorEvent', status: 500 },
    toNextWatches: { effect: 'status', status: 503, times: 2 },
    lists: 0,
    speed: 20,
  },
  {
    row: 61,
    what: 'a login page in place of a watch',
    toWatch: ENDS,
    toNextWatches: { effect: 'contentType', contentType: 'text/html', body: '<html>log in</html>', times: 1 },
    lists: 0,
    speed: 20,
  },
  {
    row: 62,
    what: 'an answer to a list only after 3 s',
    toWatch: EXPIRES,
    toLists: { effect: 'delay', ms: 3_000, times: 1 },
    lists: 1,
  },
];

/** Lists asked for so far. */
function lists({ server }: World): number {
  return server.requests.filter(({ path, query }) => path === PATH && query.get('watch') !== 'true').length;
}

/** With a long timeout for the receiver, because the service's clock may run faster than real time. */
function config(world: World): string {
  return `whileAway = "each"\n${kwatchmanConfig(world.slack.url, ['deployment'])}timeout = "1h"\n`;
}

async function watching(row: Row, world: World): Promise<Running> {
  createAll(world, CHANGING);
  for (let n = 0; n < UNCHANGED; n++) world.server.create(deployment(`other-${n}`, 'nginx', 0));
  const clock = row.speed === undefined ? {} : { clock: fasterClock(row.speed) };
  return world.run({ config: config(world), ...clock });
}

async function spoil(row: Row, world: World): Promise<void> {
  const { server } = world;
  const deployments = { path: PATH, times: 1 };
  if (row.toNextWatches !== undefined) server.fault({ ...deployments, watch: true, ...row.toNextWatches });
  if (row.toLists !== undefined) server.fault({ ...deployments, watch: false, ...row.toLists });
  // Last, since it applies to an open watch at once.
  if (row.toWatch !== undefined) server.fault({ ...deployments, watch: true, ...row.toWatch });
  await row.trouble?.(world);
}

describe('an API server with', { concurrency: 6 }, () => {
  for (const row of ROWS) {
    const skip = row.long === undefined ? {} : onlyLong(row.long);
    test(`${row.row} ${row.what}: every change is reported, in order, once`, skip, async () => {
      const end = { objects: CHANGING, last: 2 };
      const tracker = trackingReceiver(end);
      await using world = await World.start(tracker.respond, row.cluster);
      await using running = await watching(row, world);
      const listsBefore = lists(world);
      scaleAll(world, CHANGING, 1);
      await spoil(row, world);
      scaleAll(world, CHANGING, 2);
      await tracker.done();
      await running.app.idle();
      assert.equal(assertComplete(world.slack.requests, end).repeated, 0);
      assert.equal(lists(world) - listsBefore, row.lists);
      await assertBalanced(running.app.store);
    });
  }
});
