/** Notices changed files by polling: mounted ConfigMaps, network disks and renaming editors each send other events, or none. */
import { type BigIntStats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Clock } from '../clock.ts';

/** How long to wait, because a file that is being written changes again. */
const SETTLES_MS = 200;

export interface WatchedFiles {
  /** Watches a file from now on. To be called right before the file is read, or found missing. */
  watch(file: string): void;
  /**
   * Whether any file has changed since {@link watch}. If so, resolves once changes have stopped, and then no file is watched until
   * the next call of that. Rejects with the signal's reason.
   */
  haveChanged(signal: AbortSignal): Promise<boolean>;
}

export function watchFiles(clock: Clock): WatchedFiles {
  const known = new Map<string, string>();
  return {
    watch(file) {
      // If a file is read twice, its first version counts.
      if (!known.has(file)) known.set(file, versionNow(file));
    },
    async haveChanged(signal) {
      if (!(await updateVersions(known))) return false;
      do await clock.sleep(SETTLES_MS, signal);
      while (await updateVersions(known));
      known.clear();
      return true;
    },
  };
}

/** Whether any file differs from its known version; updates the known versions. */
async function updateVersions(known: Map<string, string>): Promise<boolean> {
  const versions = await Promise.all([...known.keys()].map(async (file) => [file, await versionOf(file)] as const));
  const others = versions.filter(([file, version]) => known.get(file) !== version);
  for (const [file, version] of others) known.set(file, version);
  return others.length > 0;
}

const MISSING = 'missing';

/** Follows links, since a ConfigMap's files are links. A missing file has a version, too. */
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
