import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openDatabase } from './database.ts';
import { Engine, type Call } from './engine.ts';

const setFact = (id: number, name: string): Call => ({ id, name: 'setFact', args: [name, 'x'] });

describe('Engine.run()', () => {
  test('fails what a failure undid, and keeps what came before the transaction and after it', () => {
    const db = openDatabase(':memory:');
    // SQLite itself undoes the transaction when the disk is full; a trigger can do the same.
    db.exec(`CREATE TEMP TRIGGER undo BEFORE INSERT ON facts WHEN NEW.name = 'bad'
             BEGIN SELECT RAISE(ROLLBACK, 'no space'); END`);
    const engine = new Engine(db, true);
    const { replies } = engine.run([
      { id: 1, name: 'balances', args: [] },
      setFact(2, 'before'),
      setFact(3, 'bad'),
      setFact(4, 'after'),
    ]);
    assert.deepEqual(
      replies.map((reply) => ['error' in reply ? 'failed' : 'done', reply.id]),
      [
        ['done', 1],
        ['failed', 2],
        ['failed', 3],
        ['done', 4],
      ],
    );
    const facts = engine.run(['before', 'after'].map((name, id): Call => ({ id, name: 'getFact', args: [name] })));
    assert.deepEqual(facts.replies, [
      { id: 0, value: undefined },
      { id: 1, value: 'x' },
    ]);
    engine.close();
  });
});
