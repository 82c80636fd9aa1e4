/** Small durable facts. Names beginning with `store.` are reserved for the store. */
import type { DatabaseSync } from 'node:sqlite';

/** The facts that are numbers. */
type Count = 'store.epoch' | 'store.history-bytes';

export class Facts {
  readonly #get;
  readonly #set;
  readonly #add;

  constructor(db: DatabaseSync) {
    this.#get = db.prepare('SELECT value FROM facts WHERE name = ?');
    this.#set = db.prepare('INSERT INTO facts VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value');
    this.#add = db.prepare('UPDATE facts SET value = value + ? WHERE name = ?');
  }

  get(name: string): string | undefined {
    const value = this.#get.get(name)?.['value'];
    return value === undefined || value === null ? undefined : String(value);
  }

  set(name: string, value: string): void {
    this.#set.run(name, value);
  }

  number(name: Count): number {
    return Number(this.get(name) ?? 0);
  }

  add(name: Count, amount: number): void {
    if (amount !== 0) this.#add.run(amount, name);
  }
}
