/** Rows of `deliveries` with their change. */
import { CHANGE_COLUMNS, type ChangeRow } from './records.ts';
import { BLOCKED, DEAD, READY } from './schema.ts';

/** The columns of {@link ReportedRow}, from `deliveries d`, `changes c` and its joins. */
export const REPORTED_COLUMNS = `d.replayed, d.newest, d.actors AS merged_actors, ${CHANGE_COLUMNS}`;

/** The columns of {@link DeliveryRow}, from the same tables. */
export const DELIVERY_COLUMNS = `
  d.id AS delivery, d.queue, d.attempts, d.deferred_since, d.delivered, d.timer_of, d.edits, d.claims, d.batch, d.due_at,
  d.due_since, d.id IN temp.perhaps_sent AS perhaps_sent,
  ${REPORTED_COLUMNS}`;

/** Makes a delivery ready. It waited for one that was due since `?1`: if that was held on purpose, so was this one. */
export const MAKE_READY = `UPDATE deliveries SET state = ${READY}, due_since = coalesce(max(due_since, ?1), due_since, ?1)`;

/** Makes the first blocked delivery of a chain and queue ready. */
export const UNBLOCK = `${MAKE_READY} WHERE id = (
  SELECT min(id) FROM deliveries WHERE chain = ?2 AND queue = ?3 AND state = ${BLOCKED} AND state < ${DEAD})`;

/** What a delivery reports: its change, and how a replay or a merge modified it (see merging.ts). */
export interface ReportedRow extends ChangeRow {
  readonly replayed: number;
  readonly newest: number | null;
  readonly merged_actors: string | null;
}

export interface DeliveryRow extends ReportedRow {
  readonly delivery: number;
  readonly queue: string;
  readonly attempts: number;
  readonly deferred_since: number | null;
  readonly delivered: string;
  readonly timer_of: string | null;
  readonly edits: number | null;
  readonly claims: number;
  readonly batch: number | null;
  readonly due_at: number | null;
  readonly due_since: number | null;
  /** See merging.ts. */
  readonly perhaps_sent: number;
}

/** Size of its manifests. */
export function bytesOf({ before, after }: DeliveryRow): number {
  return (before?.length ?? 0) + (after?.length ?? 0);
}
