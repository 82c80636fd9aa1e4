/** What an adapter reports about a file, at the paths of that file, and where each of the resulting tables comes from. */
import type { Path, Problem } from '../problems.ts';

export class Report {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly #lenient: boolean;
  readonly #sources = new WeakMap<object, { readonly path: Path; readonly keys: Readonly<Record<string, Path>> }>();

  constructor({ lenient }: { readonly lenient: boolean }) {
    this.#lenient = lenient;
  }

  problem(path: Path, message: string): void {
    this.problems.push({ path, message });
  }

  /** @param line default: the line of the path */
  warning(path: Path, message: string, line?: number): void {
    this.warnings.push({ path, message, ...(line === undefined ? {} : { line }) });
  }

  /** A problem, or with `--lenient` a warning that it is left out. */
  unsupported(path: Path, message: string): void {
    if (this.#lenient) this.warning(path, `${message}: left out`);
    else this.problem(path, `${message}; --lenient leaves it out`);
  }

  /**
   * Notes where a table comes from, and returns it.
   * @param keys the paths there of keys that have another name
   */
  from<T extends object>(path: Path, table: T, keys: Readonly<Record<string, Path>> = {}): T {
    this.#sources.set(table, { path, keys });
    return table;
  }

  /** Notes that a table comes from where `original` does, and returns it. */
  copy<T extends object>(table: T, original: object): T {
    const source = this.#sources.get(original);
    return source === undefined ? table : this.from(source.path, table, source.keys);
  }

  /** The path in the other tool's file that a path of `value` comes from, by the nearest table that was noted. */
  origin(value: unknown, path: Path): Path {
    let found: Path = [];
    let inner: unknown = value;
    for (const [depth, part] of [...path, ''].entries()) {
      if (typeof inner !== 'object' || inner === null) break;
      const source = this.#sources.get(inner);
      if (source !== undefined) {
        const [key, ...rest] = path.slice(depth);
        const below = typeof key === 'string' && Object.hasOwn(source.keys, key) ? source.keys[key] : undefined;
        found = [...source.path, ...(below ?? [...(key === undefined ? [] : [key]), ...rest])];
      }
      inner = (inner as Record<PropertyKey, unknown>)[part];
    }
    return found;
  }
}
