import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { DEFAULT_RETENTION } from '../looking-back.ts';
import { MEMORY_KEPT_MS } from '../store.ts';
import { NOW, storeTest, type StoreFixture } from './fixture.ts';

export function sinkMemory(fixture: StoreFixture): void {
  describe('remember() and recall()', () => {
    storeTest(fixture, 'keep a value by handler and key, until it is replaced or forgotten', async ({ store }) => {
      await store.remember('ops/slack', 'thread', { ts: '1.2' });
      await store.remember('dev/slack', 'thread', 'theirs');
      await store.remember('ops/slack', 'thread', { ts: '3.4' });
      assert.deepEqual(await store.recall('ops/slack', 'thread'), { ts: '3.4' });
      assert.equal(await store.recall('dev/slack', 'thread'), 'theirs');
      assert.equal(await store.recall('ops/slack', 'other'), undefined);
      await store.remember('ops/slack', 'thread', null);
      assert.equal(await store.recall('ops/slack', 'thread'), undefined);
    });

    storeTest(fixture, 'forget values not written for 30 days', async ({ store }) => {
      await store.remember('ops/slack', 'thread', 1);
      await store.prune(DEFAULT_RETENTION, NOW + MEMORY_KEPT_MS);
      assert.equal(await store.recall('ops/slack', 'thread'), 1);
      await store.prune(DEFAULT_RETENTION, NOW + MEMORY_KEPT_MS + 1);
      assert.equal(await store.recall('ops/slack', 'thread'), undefined);
    });

    if (!fixture.durable) return;
    storeTest(fixture, 'outlive a restart', async ({ store, reopen }) => {
      await store.remember('ops/slack', 'thread', { ts: '1.2' });
      assert.deepEqual(await (await reopen()).recall('ops/slack', 'thread'), { ts: '1.2' });
    });
  });
}
