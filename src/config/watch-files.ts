/** Notices that files were changed: by asking, since a mounted ConfigMap, a network disk and an editor that renames each tell otherwise, or not at all. */
import { type BigIntStats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Clock } from '../clock.ts';

/** A file that is being written changes again. */
const SETTLES_MS = 200;

export interface WatchedFiles {
  /** To be called right before a file is read, or found missing: it is watched from then on. */
  note(file: string): void;
  /**
   * Whether one of them is another than when it was noted: answered once it has stopped changing, and then none is watched until it
   * is noted again. Rejects with the signal's reason.
   */
  haveChanged(signal: AbortSignal): Promise<boolean>;
}

export function watchFiles(clock: Clock): WatchedFiles {
  const known = new Map<string, string>();
  return {
    note(file) {
      // Of one that is read twice, the first version counts.
      if (!known.has(file)) known.set(file, versionNow(file));
    },
    async haveChanged(signal) {
      if (!(await areOther(known))) return false;
      do await clock.sleep(SETTLES_MS, signal);
      while (await areOther(known));
      known.clear();
      return true;
    },
  };
}

/** Answers whether one of them is another than was known, and knows it then. */
async function areOther(known: Map<string, string>): Promise<boolean> {
  const versions = await Promise.all([...known.keys()].map(async (file) => [file, await versionOf(file)] as const));
  const others = versions.filter(([file, version]) => known.get(file) !== version);
  for (const [file, version] of others) known.set(file, version);
  return others.length > 0;
}

const MISSING = 'missing';

/** Follows links, as a ConfigMap's files are. A file that is missing has a version, too. */
function versionOf(file: string): Promise<string> {
  return stat(file, { bigint: true }).then(textOf, () => MISSING);
}

function versionNow(file: string): string {
  try {
    return textOf(statSync(file, { bigint: true }));
  } catch {
    return MISSING;
  }
}

function textOf({ ino, size, mtimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mtimeNs}`;
}
