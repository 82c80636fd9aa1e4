/** Statements whose rows have a type. Nothing can check it but a test: it says what the columns of the text are, beside the text. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';

export interface Query<Row> {
  get(...values: readonly SQLInputValue[]): Row | undefined;
  all(...values: readonly SQLInputValue[]): Row[];
  iterate(...values: readonly SQLInputValue[]): IterableIterator<Row>;
}

export function query<Row>(db: DatabaseSync, sql: string): Query<Row> {
  return db.prepare(sql) as unknown as Query<Row>;
}

/** The row of a statement that always has one, as with RETURNING. @throws when it has none, which would be a mistake of ours */
export function certain<Row>(row: Row | undefined): Row {
  if (row === undefined) throw new Error('A statement that always answers a row has answered none');
  return row;
}
