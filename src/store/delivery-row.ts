/** Rows of `deliveries` with their change, as they are handed out. */
import { CHANGE_COLUMNS, type ChangeRow } from './records.ts';

/** What {@link DeliveryRow} is read from: `deliveries d`, `changes c` and its joins. */
export const DELIVERY_COLUMNS = `
  d.id AS delivery, d.queue, d.attempts, d.deferred_since, d.delivered, d.replayed, d.timer_of, d.edits, d.claims, d.newest,
  d.actors AS merged_actors, ${CHANGE_COLUMNS}`;

export interface DeliveryRow extends ChangeRow {
  readonly delivery: number;
  readonly queue: string;
  readonly attempts: number;
  readonly deferred_since: number | null;
  readonly delivered: string;
  readonly replayed: number;
  readonly timer_of: string | null;
  readonly edits: number | null;
  readonly claims: number;
  /** See merging.ts. */
  readonly newest: number | null;
  readonly merged_actors: string | null;
}
