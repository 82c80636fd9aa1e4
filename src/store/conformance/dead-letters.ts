import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { withNote } from '../../change/lazy-change.ts';
import { editsOf } from '../../change/edits.ts';
import type { Store } from '../store.ts';
import {
  accept,
  assertBalanced,
  claim,
  claimLines,
  claimOne,
  COMPLETED,
  line,
  NOW,
  seen,
  storeTest,
  withPending,
  type StoreFixture,
} from './fixture.ts';

const DEATH = { handler: 'default/slack', error: 'HTTP 404 of hooks.example', attempts: 4 };

/** Makes the only due delivery a dead letter, and returns its id. */
async function die(store: Store, chain = 'default'): Promise<number> {
  const { id } = await claimOne(store, { chain });
  await store.deadLetter(id, DEATH);
  return id;
}

export function deadLetters(fixture: StoreFixture): void {
  describe('deadLetter()', () => {
    storeTest(fixture, 'keeps the change with error, handler and attempts', async ({ store }) => {
      await withPending(store, ['web']);
      const id = await die(store);
      const letter = await store.deadLetterOf(id);
      assert.ok(letter);
      const { change, ...rest } = letter;
      assert.deepEqual(rest, { id, chain: 'default', ...DEATH, diedAt: NOW });
      assert.equal(line(change), 'added shop/web 1');
      assert.deepEqual(change.after?.['spec'], { replicas: 1 });
      assert.equal(await store.deadLetterOf(id + 1), undefined);
    });

    storeTest(fixture, 'opens a delivery in another chain, with the dead letter in its notes', async ({ store }) => {
      await withPending(store, ['web']);
      const { id, change, edited } = await claimOne(store);
      const told = withNote(change, 'deadLetter', { ...DEATH, id, chain: 'default' });
      await store.deadLetter(id, DEATH, { chains: ['ops'], edits: editsOf(change, told, edited) });
      const { id: other, change: got } = await claimOne(store, { chain: 'ops' });
      assert.deepEqual([line(got), got.notes.deadLetter?.id], ['added shop/web 1', id]);
      await store.complete(other, { kind: 'completed' });
      assert.equal((await store.deadLetters({ limit: 10 })).length, 1, 'the dead letter stays');
      await assertBalanced(store);
    });

    storeTest(fixture, 'lets the next change of the key proceed', async ({ store }) => {
      const scope = await withPending(store, ['web']);
      await accept(store, scope, seen('web', 2));
      await die(store);
      assert.deepEqual(await claimLines(store), ['updated shop/web 2']);
    });
  });

  describe('deadLetters()', () => {
    storeTest(fixture, 'pages in order of id, filtered by chain', async ({ store }) => {
      await withPending(store, ['a', 'b', 'c'], { chains: ['x', 'y'] });
      for (const { id } of (await claim(store, { chain: 'x' })).deliveries) await store.deadLetter(id, DEATH);
      for (const { id } of (await claim(store, { chain: 'y', limit: 1 })).deliveries) await store.deadLetter(id, DEATH);
      assert.equal((await store.deadLetters({ limit: 10 })).length, 4);
      assert.deepEqual(
        (await store.deadLetters({ chain: 'y', limit: 10 })).map(({ change }) => change.name),
        ['a'],
      );
      const first = await store.deadLetters({ chain: 'x', limit: 2 });
      assert.deepEqual(
        first.map(({ change }) => change.name),
        ['a', 'b'],
      );
      const rest = await store.deadLetters({ chain: 'x', limit: 2, afterId: first.at(-1)?.id ?? 0 });
      assert.deepEqual(
        rest.map(({ change }) => change.name),
        ['c'],
      );
    });
  });

  describe('deadLetters() with filters', () => {
    storeTest(fixture, 'filters by handler, resource and time of death', async ({ store }) => {
      await withPending(store, ['a', 'b']);
      await withPending(store, ['c'], { group: '', resource: 'services', kind: 'Service' });
      for (const { id, change } of (await claim(store)).deliveries)
        await store.deadLetter(id, { ...DEATH, handler: change.name === 'a' ? 'default/log' : DEATH.handler });
      const names = async (query: Omit<Parameters<Store['deadLetters']>[0], 'limit'>) =>
        (await store.deadLetters({ limit: 10, ...query })).map(({ change }) => change.name).join(' ');
      assert.equal(await names({ handler: 'default/slack' }), 'b c');
      assert.equal(await names({ group: '', resource: 'services' }), 'c');
      assert.equal(await names({ diedBefore: NOW }), '');
      assert.equal(await names({ diedBefore: NOW + 1, handler: 'default/log' }), 'a');
    });
  });

  describe('replay()', () => {
    storeTest(
      fixture,
      'hands out the same change again, marked as replayed, with its checkpoints and no attempts',
      async ({ store }) => {
        await withPending(store, ['web']);
        const { id, change } = await claimOne(store);
        await store.checkpoint(id, 'default/log');
        await store.deadLetter(id, DEATH);
        assert.deepEqual(await store.replay([id, id + 1]), [id]);
        const again = await claimOne(store);
        assert.deepEqual([again.id, again.attempts, again.delivered], [id, 0, ['default/log']]);
        assert.deepEqual({ ...again.change, flags: {} }, { ...change });
        assert.deepEqual(again.change.flags, { replayed: true });
        assert.deepEqual(await store.deadLetters({ limit: 10 }), []);
      },
    );

    storeTest(
      fixture,
      'keeps the change marked in branches, and in the chain that receives its next dead letter',
      async ({ store }) => {
        await withPending(store, ['web', 'db']);
        const dying = (await claim(store)).deliveries.map(({ id }) => id);
        for (const id of dying) await store.deadLetter(id, DEATH);
        await store.replay(dying);
        const [first, second] = (await claim(store)).deliveries;
        assert.ok(first && second);
        await store.complete(first.id, COMPLETED, { forks: { chains: ['default/b'] } });
        await store.deadLetter(second.id, DEATH, { chains: ['ops'] });
        for (const chain of ['default/b', 'ops'])
          assert.deepEqual((await claimOne(store, { chain })).change.flags, { replayed: true });
        await assertBalanced(store);
      },
    );

    storeTest(
      fixture,
      'waits for the running delivery of the key, and goes before the waiting ones',
      async ({ store }) => {
        const scope = await withPending(store, ['web']);
        await accept(store, scope, seen('web', 2), seen('web', 3));
        const id = await die(store);
        const second = await claimOne(store);
        await store.replay([id]);
        assert.deepEqual(await claimLines(store), []);
        await store.complete(second.id, COMPLETED);
        const replayed = await claimOne(store);
        assert.equal(replayed.id, id);
        await store.complete(replayed.id, COMPLETED);
        assert.deepEqual(await claimLines(store), ['updated shop/web 3']);
      },
    );

    storeTest(fixture, 'keeps the counters balanced, even when the delivery dies again', async ({ store }) => {
      await withPending(store, ['web']);
      await store.replay([await die(store)]);
      await assertBalanced(store);
      await store.replay([await die(store)]);
      await store.complete((await claimOne(store)).id, COMPLETED);
      const [balance] = await assertBalanced(store);
      assert.deepEqual(
        [balance?.accepted, balance?.replayed, balance?.dead, balance?.completed, balance?.pending],
        [1, 2, 2, 1, 0],
      );
    });
  });

  describe('discard()', () => {
    storeTest(fixture, 'ends dead letters for good, and only those', async ({ store }) => {
      await withPending(store, ['web', 'api']);
      const {
        deliveries: [web, api],
      } = await claim(store);
      await store.deadLetter(web?.id ?? 0, DEATH);
      assert.deepEqual(await store.discard([web?.id ?? 0, api?.id ?? 0]), [web?.id]);
      assert.deepEqual(await store.discard([web?.id ?? 0]), []);
      assert.deepEqual(await store.replay([web?.id ?? 0]), []);
      assert.equal(await store.deadLetterOf(web?.id ?? 0), undefined);
      const [balance] = await assertBalanced(store);
      assert.deepEqual([balance?.dead, balance?.discarded, balance?.pending], [0, 1, 1]);
    });
  });
}
