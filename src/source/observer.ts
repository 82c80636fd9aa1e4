/** Makes observations, redacted and flagged, and counts them. */
import type { ChangeFlags } from '../change.ts';
import type { Observation, Seen } from '../store/scope.ts';
import type { ScannedManifest } from './manifest.ts';
import type { Redact } from './redact.ts';
import { ScanError } from './scan.ts';

export interface ObserverOptions {
  readonly redact: Redact;
  /** A deletion may mean "no longer selected". */
  readonly selected: boolean;
  /** For Kubernetes Events: they are pruned an hour after they were written, which is not a change. */
  readonly expires: boolean;
  /** What happened while nothing was watching is stored but not reported. */
  readonly ignoreWhileAway: boolean;
  readonly onMalformed: (key: string, problem: string) => void;
}

/** How something was seen. */
export interface ObservationContext {
  /** Not to be reported, as in a first list. */
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
   * Undefined if it cannot be read well enough to be sure that it contains no secret.
   *
   * @throws ScanError if it is not a complete object; see {@link ScannedManifest.body}
   */
  seen(manifest: ScannedManifest, digest: number, context: ObservationContext): Observation | undefined {
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
    const silent = this.#isSilent(context);
    const managedFields = manifest.managedFields();
    return {
      type: 'seen',
      key,
      uid,
      resourceVersion,
      digest,
      body,
      managedFields,
      ...flagFields(silent, context.flags),
    };
  }

  gone({ key, uid, resourceVersion }: Omit<Seen, 'digest'>, context: ObservationContext): Observation {
    const silent = this.#isSilent(context) || this.#options.expires;
    const flags: ChangeFlags = this.#options.selected ? { ...context.flags, leftScope: true } : context.flags;
    return { type: 'gone', key, uid, resourceVersion, digest: 0, body: NO_BYTES, ...flagFields(silent, flags) };
  }

  /** The silent end of an expired predecessor of the same key; undefined if it is the same object, or its end is a change. */
  expired(key: string, known: Omit<Seen, 'key' | 'digest'> | undefined, uid: string): Observation | undefined {
    if (!this.#options.expires || known === undefined || known.uid === uid) return undefined;
    return this.gone({ key, uid: known.uid, resourceVersion: known.resourceVersion }, { silent: true, flags: {} });
  }

  #isSilent({ silent, flags }: ObservationContext): boolean {
    return silent || (this.#options.ignoreWhileAway && flags.whileAway === true);
  }
}

function flagFields(silent: boolean, flags: ChangeFlags): Pick<Observation, 'silent' | 'flags'> {
  return silent ? { silent, flags } : { flags };
}

export type Counts = Record<'added' | 'updated' | 'deleted', number>;

/** Counts an observation as the change that it will become. @param knownUid of the object last known under this key */
export function countChange(counts: Counts, { type, uid, silent }: Observation, knownUid: string | undefined): void {
  if (silent === true) return;
  if (type === 'gone' || (knownUid !== undefined && knownUid !== uid)) counts.deleted++;
  if (type === 'seen') counts[knownUid === uid ? 'updated' : 'added']++;
}
