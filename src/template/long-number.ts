/** Makes integers beyond 2^53, which a manifest holds as raw JSON, usable in filters and comparisons. */
import { isRawNumber, type RawNumber } from '../json.ts';

/** Raw JSON converts neither to a text nor to a number: liquidjs fails on it. */
class LongNumber {
  readonly #raw: RawNumber;

  constructor(raw: RawNumber) {
    this.#raw = raw;
  }

  toString(): string {
    return this.#raw.rawJSON;
  }

  valueOf(): number {
    return Number(this.#raw.rawJSON);
  }

  toJSON(): RawNumber {
    return this.#raw;
  }
}

/** The value; a long integer, alone or in a list, becomes an object that is all digits as text, otherwise the nearest number. */
export function withLongNumbers(value: unknown): unknown {
  if (Array.isArray(value)) return value.some(isRawNumber) ? value.map(withLongNumbers) : value;
  return isRawNumber(value) ? new LongNumber(value) : value;
}
