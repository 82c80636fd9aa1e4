/** Notices that files were changed: by asking, since a mounted ConfigMap, a network disk and an editor that renames each tell otherwise, or not at all. */
import { stat } from 'node:fs/promises';
import type { Clock } from '../clock.ts';

const ASK_EVERY_MS = 2_000;
/** A file that is being written changes again. */
const SETTLES_MS = 200;

export interface WatchedFiles {
  /**
   * Resolves when a file is another one than at the last call, and has stopped changing; the first call compares with what the
   * files were when this was made. `files` may name others than before. Rejects with the signal's reason.
   */
  changed(files: readonly string[], signal: AbortSignal): Promise<void>;
}

/** @param files what was read just now */
export async function watchFiles(files: readonly string[], clock: Clock): Promise<WatchedFiles> {
  const known = new Map<string, string>();
  await note(files, known);
  return {
    async changed(wanted, signal) {
      while (!(await note(wanted, known))) await clock.sleep(ASK_EVERY_MS, signal);
      do await clock.sleep(SETTLES_MS, signal);
      while (await note(wanted, known));
    },
  };
}

/** Answers whether one of them is another than was known; one that was not known yet is not. */
async function note(files: readonly string[], known: Map<string, string>): Promise<boolean> {
  const versions = await Promise.all(files.map(async (file) => [file, await versionOf(file)] as const));
  const isOther = versions.some(([file, version]) => known.has(file) && known.get(file) !== version);
  for (const [file, version] of versions) known.set(file, version);
  return isOther;
}

/** Follows links, as a ConfigMap's files are. A file that is missing has a version, too. */
async function versionOf(file: string): Promise<string> {
  try {
    const { ino, size, mtimeNs } = await stat(file, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch {
    return 'missing';
  }
}
