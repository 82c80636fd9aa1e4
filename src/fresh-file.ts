/** A small file that others replace while we run: a rotated token, a renewed certificate. */
import { readFile, stat } from 'node:fs/promises';

/** The text of a file, read again when the file is replaced. The kubelet swaps symbolic links, which changes inode and mtime. */
export class FreshFile {
  readonly #path: string;
  #stamp = '';
  #text = '';

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * @throws if the file cannot be read, or is empty, as it is while being rewritten: without a token we would be anonymous, and an
   * empty CA file would mean the default CAs. The message names the path.
   */
  async read(): Promise<string> {
    const { ino, mtimeMs, size } = await stat(this.#path);
    const stamp = `${ino} ${mtimeMs} ${size}`;
    if (stamp !== this.#stamp) {
      const text = await readFile(this.#path, 'utf8');
      if (text.trim() === '') throw new Error(`${this.#path} is empty`);
      this.#text = text;
      // The stamp was taken before the read, so a file replaced in between is read once more and never kept stale.
      this.#stamp = stamp;
    }
    return this.#text;
  }

  /** Makes the next {@link read} read the file, whatever its stamp. */
  invalidate(): void {
    this.#stamp = '';
  }
}
