/** Makes observations of what was seen: redacted, flagged, counted. */
import type { ChangeFlags } from '../change.ts';
import type { Observation, Seen } from '../store/store.ts';
import type { ScannedManifest } from './manifest.ts';
import type { Redact } from './redact.ts';
import { ScanError } from './scan.ts';

export interface ObserverOptions {
  readonly redact: Redact;
  /** A deletion may mean "no longer selected". */
  readonly selected: boolean;
  /** An hour after it was written a Kubernetes Event is pruned: that is no change. */
  readonly expires: boolean;
  /** What happened while nothing was watching is written, and told to nobody. */
  readonly ignoreWhileAway: boolean;
  readonly onMalformed: (key: string, problem: string) => void;
}

/** How something was seen. */
export interface Circumstances {
  /** Known to be no news, such as a first list. */
  readonly silent: boolean;
  readonly flags: ChangeFlags;
}

const NO_BYTES = new Uint8Array(0);

export class Observer {
  readonly #options: ObserverOptions;

  constructor(options: ObserverOptions) {
    this.#options = options;
  }

  /**
   * Undefined: it cannot be read well enough to be sure that no secret is in it.
   *
   * @throws ScanError when it is no whole object; see {@link ScannedManifest.body}
   */
  seen(manifest: ScannedManifest, digest: number, how: Circumstances): Observation | undefined {
    const { key, uid, resourceVersion } = manifest;
    const whole = manifest.body();
    let body: Buffer;
    try {
      body = this.#options.redact(whole);
    } catch (thrown) {
      if (!(thrown instanceof ScanError)) throw thrown;
      this.#options.onMalformed(key, thrown.message);
      return undefined;
    }
    const silent = this.#isSilent(how);
    const managedFields = manifest.managedFields();
    return { type: 'seen', key, uid, resourceVersion, digest, body, managedFields, ...marks(silent, how.flags) };
  }

  gone({ key, uid, resourceVersion }: Omit<Seen, 'digest'>, how: Circumstances): Observation {
    const silent = this.#isSilent(how) || this.#options.expires;
    const flags: ChangeFlags = this.#options.selected ? { ...how.flags, leftScope: true } : how.flags;
    return { type: 'gone', key, uid, resourceVersion, digest: 0, body: NO_BYTES, ...marks(silent, flags) };
  }

  /** The end of what a key stood for until now, where that is no change; undefined: the same object, or the store tells of it. */
  expired(key: string, known: Omit<Seen, 'key' | 'digest'> | undefined, uid: string): Observation | undefined {
    if (!this.#options.expires || known === undefined || known.uid === uid) return undefined;
    return this.gone({ key, uid: known.uid, resourceVersion: known.resourceVersion }, { silent: true, flags: {} });
  }

  #isSilent({ silent, flags }: Circumstances): boolean {
    return silent || (this.#options.ignoreWhileAway && flags.whileAway === true);
  }
}

function marks(silent: boolean, flags: ChangeFlags): Pick<Observation, 'silent' | 'flags'> {
  return silent ? { silent, flags } : { flags };
}

export type Counts = Record<'added' | 'updated' | 'deleted', number>;

/** Counts an observation as the change that it will be. @param knownUid of the object that the key stood for */
export function count(counts: Counts, { type, uid, silent }: Observation, knownUid: string | undefined): void {
  if (silent === true) return;
  if (type === 'gone' || (knownUid !== undefined && knownUid !== uid)) counts.deleted++;
  if (type === 'seen') counts[knownUid === uid ? 'updated' : 'added']++;
}
