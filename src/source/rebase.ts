/** Stored baselines under new redaction rules. */
import type { Store } from '../store/store.ts';
import type { Redact } from './redact.ts';

/** Bodies in memory at once: 100 of the largest are 150 MB. */
const PAGE = 100;

/** Redacts every stored body of a scope anew. Digests are of what the server sent, so that they stay. Appends no change; may be run twice. */
export async function rebaseBodies(
  store: Pick<Store, 'baselines' | 'rebase'>,
  scope: number,
  redact: Redact,
): Promise<void> {
  for (let after: string | undefined; ;) {
    const rows = await store.baselines(scope, after, PAGE);
    const hidden = rows.flatMap((row) => {
      const old = Buffer.from(row.body.buffer, row.body.byteOffset, row.body.byteLength);
      const body = redact(old);
      return body === old ? [] : [{ ...row, body }];
    });
    if (hidden.length > 0) await store.rebase(scope, hidden);
    after = rows.at(-1)?.key;
    if (rows.length < PAGE) return;
  }
}

/** Whether digests made under one {@link Redactor.fingerprint} can be compared with those made under the other. */
export function sameKey(fingerprint: string, other: string): boolean {
  return fingerprint.split('.')[0] === other.split('.')[0];
}
