/** Rotated files: `changes-2026-11-20T23-42-03.123Z.jsonl` beside `changes.jsonl`. */
import { readdir, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';

export interface BackupLimits {
  /** 0: all of them. */
  readonly maxBackups: number;
  /** In milliseconds; 0: any. */
  readonly maxAgeMs: number;
}

/** The path for a rotated file. Without colons, which Windows and tar interpret. */
export function backupName(path: string, now: number): string {
  const { stem, extension } = partsOf(path);
  for (let ms = now; ; ms++) {
    const backup = join(dirname(path), `${stem}-${new Date(ms).toISOString().replaceAll(':', '-')}${extension}`);
    if (!existsSync(backup)) return backup;
  }
}

/** A name may be some milliseconds ahead, if several files are rotated at once. */
const MAX_AHEAD_MS = 60_000;

/** Removes files that are too old or too many, the oldest first. */
export async function removeOldBackups(path: string, limits: BackupLimits, now: number): Promise<void> {
  // A time still to come is from before the clock was set back: older than all since then.
  const order = ({ at }: { readonly at: number }): number =>
    at > now + MAX_AHEAD_MS ? at - Number.MAX_SAFE_INTEGER : at;
  const newestFirst = (await backupsOf(path)).toSorted((a, b) => order(b) - order(a));
  const old = newestFirst.filter(({ at }, position) => {
    const isTooMany = limits.maxBackups > 0 && position >= limits.maxBackups;
    return isTooMany || (limits.maxAgeMs > 0 && at < now - limits.maxAgeMs);
  });
  for (const { file } of old) await rm(file, { force: true });
}

async function backupsOf(path: string): Promise<readonly { readonly file: string; readonly at: number }[]> {
  const { stem, extension } = partsOf(path);
  const names = await readdir(dirname(path));
  return names.flatMap((name) => {
    if (!name.startsWith(`${stem}-`) || !name.endsWith(extension)) return [];
    const time = name.slice(stem.length + 1, name.length - extension.length);
    const at = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z$/.test(time)
      ? Date.parse(time.replace(/T(\d\d)-(\d\d)-/, 'T$1:$2:'))
      : NaN;
    return Number.isNaN(at) ? [] : [{ file: join(dirname(path), name), at }];
  });
}

function partsOf(path: string): { readonly stem: string; readonly extension: string } {
  const extension = extname(path);
  return { stem: basename(path, extension), extension };
}
