/** Statements with typed rows. Only tests can check the type, which documents the columns beside the SQL text. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';

export interface Query<Row> {
  get(...values: readonly SQLInputValue[]): Row | undefined;
  all(...values: readonly SQLInputValue[]): Row[];
  iterate(...values: readonly SQLInputValue[]): IterableIterator<Row>;
}

export function query<Row>(db: DatabaseSync, sql: string): Query<Row> {
  return db.prepare(sql) as unknown as Query<Row>;
}

/** The row of a statement that always returns one, such as with RETURNING. @throws if there is none, which would be a bug */
export function requireRow<Row>(row: Row | undefined): Row {
  if (row === undefined) throw new Error('A statement that always answers a row has answered none');
  return row;
}
