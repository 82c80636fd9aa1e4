/** Splits a stream's chunks into lines of limited length. Faster than node:readline, and bounded. */

const LINE_FEED = 0x0a;

export interface LineSplitterOptions {
  readonly maxBytes: number;
  /** Without its line feed. */
  readonly onLine: (line: string) => void;
  /** Called with the beginning of a line that is too long; the rest is dropped. */
  readonly onTooLong: (beginning: string) => void;
}

export class LineSplitter {
  readonly #options: LineSplitterOptions;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #isTooLong = false;

  constructor(options: LineSplitterOptions) {
    this.#options = options;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, from)) {
      this.#hold(chunk.subarray(from, end));
      this.#finish();
      from = end + 1;
    }
    if (from < chunk.length) this.#hold(chunk.subarray(from));
  }

  /** At the end of the stream: what is left is a line, too. */
  end(): void {
    if (this.#heldBytes > 0) this.#finish();
  }

  #hold(part: Buffer): void {
    if (this.#isTooLong) return;
    this.#held.push(part);
    this.#heldBytes += part.length;
    if (this.#heldBytes <= this.#options.maxBytes) return;
    this.#isTooLong = true;
    this.#options.onTooLong(this.#text().slice(0, this.#options.maxBytes));
  }

  #finish(): void {
    if (!this.#isTooLong) this.#options.onLine(this.#text());
    this.#isTooLong = false;
  }

  #text(): string {
    const text = (this.#held.length === 1 ? this.#held[0] : Buffer.concat(this.#held))?.toString() ?? '';
    this.#held = [];
    this.#heldBytes = 0;
    return text;
  }
}
