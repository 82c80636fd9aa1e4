/** Resolves the kind in a reference to a resource, and caches the answers of discovery. */
import type { Clock } from '../clock.ts';
import { RetryAfterError } from '../errors.ts';
import type { Discovery } from '../source/discovery.ts';
import type { Resource } from '../source/source.ts';
import type { ObjectReference } from './involved.ts';

const FOUND_FOR_MS = 600_000;
/** A missing kind may be installed later. */
const MISSING_FOR_MS = 60_000;
const MAX_KINDS = 1_000;

export class Kinds {
  readonly #discovery: Pick<Discovery, 'resolve'>;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly resource: Promise<Resource | undefined>; until: number }>();

  constructor(discovery: Pick<Discovery, 'resolve'>, clock: Clock) {
    this.#discovery = discovery;
    this.#clock = clock;
  }

  /**
   * By kind and group, as a reference may name a version that is no longer served. Without an apiVersion the kind is resolved as
   * in a configuration. Undefined if the cluster serves none that can be listed and watched, or several.
   * @throws RetryAfterError if the cluster does not say what it serves; it is asked again the next time
   */
  async resourceOf({ kind, apiVersion }: Pick<ObjectReference, 'kind' | 'apiVersion'>): Promise<Resource | undefined> {
    const now = this.#clock.monotonic();
    const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : apiVersion;
    const name = `${group} ${kind}`;
    const known = this.#known.get(name);
    if (known !== undefined && now < known.until) return known.resource;
    if (this.#known.size >= MAX_KINDS) this.#known.clear();
    const resource = this.#resolve(kind, group);
    const entry = { resource, until: now + FOUND_FOR_MS };
    this.#known.set(name, entry);
    try {
      if ((await resource) === undefined) entry.until = now + MISSING_FOR_MS;
    } catch (thrown) {
      entry.until = now;
      throw thrown;
    }
    return resource;
  }

  async #resolve(kind: string, group: string): Promise<Resource | undefined> {
    const resolution = await this.#discovery.resolve(kind, group === '' ? undefined : group);
    if (resolution.kind === 'found') return resolution.resource;
    // Without an apiVersion any API that is down might have the kind. Only that of the core group counts.
    const decisive = group === '' ? await this.#discovery.resolve(kind, 'v1') : resolution;
    if (decisive.kind === 'unsure')
      throw new RetryAfterError(`Cannot find out what kind ${kind} is: ${decisive.reason}`);
    return undefined;
  }
}
