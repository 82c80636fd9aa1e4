/** The Lease object (coordination.k8s.io/v1) as election reads and writes it: https://kubernetes.io/docs/concepts/architecture/leases/ */
import { z } from 'zod';
import type { ApiClient, ApiResponse } from '../source/api.ts';
import { answered } from '../source/failure.ts';

/** What election knows of a Lease. Fields that somebody else has set stay as they are. */
export interface LeaseObject {
  readonly uid: string;
  /** Undefined: nobody; the last one gave it back. */
  readonly holder: string | undefined;
  /** For how long it is its holder's after a renewal; undefined: it does not say. */
  readonly durationMs: number | undefined;
  /** How many have held it before this one. */
  readonly transitions: number;
  /** Differs whenever the holder has renewed it. */
  readonly fingerprint: string;
  readonly manifest: Manifest;
}

/** What a holder writes. */
export interface Claim {
  readonly holder: string | undefined;
  readonly durationMs: number;
  readonly transitions: number;
  /** Milliseconds since the epoch. For people: nobody compares these times with a clock of his own. */
  readonly acquiredAt: number;
  readonly renewedAt: number;
}

const lease = z.looseObject({
  metadata: z.looseObject({ uid: z.string(), resourceVersion: z.string() }),
  spec: z
    .looseObject({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.number().nullish(),
      leaseTransitions: z.number().nullish(),
      renewTime: z.string().nullish(),
    })
    .nullish(),
});
type Manifest = z.output<typeof lease>;

const API_VERSION = 'coordination.k8s.io/v1';
/** A release says so: https://pkg.go.dev/k8s.io/client-go/tools/leaderelection writes the same. */
const RELEASED_SECONDS = 1;

export interface LeaseName {
  readonly namespace: string;
  readonly name: string;
}

/** `monitoring/watchchain` */
export function nameOf({ namespace, name }: LeaseName): string {
  return `${namespace}/${name}`;
}

/** How long to wait for an answer. */
export interface Ask {
  readonly signal: AbortSignal;
  /** Connect to last byte, milliseconds. */
  readonly timeoutMs: number;
}

/** One Lease on one cluster. Writes are refused (`undefined`) when somebody else has written since. */
export class LeaseSlot {
  readonly #api: ApiClient;
  readonly #at: LeaseName;
  readonly #collection: string;

  constructor(api: ApiClient, at: LeaseName) {
    this.#api = api;
    this.#at = at;
    this.#collection = `/apis/${API_VERSION}/namespaces/${at.namespace}/leases`;
  }

  /** Undefined when there is none. @throws for any other answer than the object */
  async read(ask: Ask): Promise<LeaseObject | undefined> {
    const path = `${this.#collection}/${this.#at.name}`;
    const answer = await this.#api.request('GET', path, ask);
    return answer.status === 404 ? undefined : this.#objectOf(answer, 'GET', path);
  }

  /** Undefined when somebody else has made it meanwhile. */
  async create(claim: Claim, ask: Ask): Promise<LeaseObject | undefined> {
    const body = { apiVersion: API_VERSION, kind: 'Lease', metadata: this.#at, spec: specOf(claim) };
    const answer = await this.#api.request('POST', this.#collection, { ...ask, body });
    return answer.status === 409 ? undefined : this.#objectOf(answer, 'POST', this.#collection);
  }

  /** Undefined when somebody else has written, or removed, it since `before`. */
  async update(before: LeaseObject, claim: Claim, ask: Ask): Promise<LeaseObject | undefined> {
    const { manifest } = before;
    const body = { ...manifest, apiVersion: API_VERSION, kind: 'Lease', spec: { ...manifest.spec, ...specOf(claim) } };
    const path = `${this.#collection}/${this.#at.name}`;
    const answer = await this.#api.request('PUT', path, { ...ask, body });
    return answer.status === 409 || answer.status === 404 ? undefined : this.#objectOf(answer, 'PUT', path);
  }

  #objectOf(answer: ApiResponse, method: string, path: string): LeaseObject {
    if (answer.status >= 300) {
      const refused = answer.status === 403 ? '; `watchchain rbac` prints the roles that it needs' : '';
      throw new Error(`Cannot ${method} ${path} on ${this.#api.host}: ${answered(answer)}${refused}`);
    }
    const manifest = lease.parse(JSON.parse(answer.body.toString('utf8')));
    const { holderIdentity, leaseDurationSeconds, leaseTransitions, renewTime } = manifest.spec ?? {};
    return {
      uid: manifest.metadata.uid,
      holder: holderIdentity || undefined,
      durationMs: leaseDurationSeconds ? leaseDurationSeconds * 1_000 : undefined,
      transitions: leaseTransitions ?? 0,
      fingerprint: JSON.stringify([holderIdentity, leaseTransitions, renewTime]),
      manifest,
    };
  }
}

function specOf({ holder, durationMs, transitions, acquiredAt, renewedAt }: Claim): Record<string, unknown> {
  return {
    holderIdentity: holder ?? null,
    leaseDurationSeconds: holder === undefined ? RELEASED_SECONDS : Math.ceil(durationMs / 1_000),
    leaseTransitions: transitions,
    acquireTime: microTime(acquiredAt),
    renewTime: microTime(renewedAt),
  };
}

/** `metav1.MicroTime` wants six digits. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}
