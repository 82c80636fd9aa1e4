/** The Lease object (coordination.k8s.io/v1) as election reads and writes it: https://kubernetes.io/docs/concepts/architecture/leases/ */
import { z } from 'zod';
import type { ApiClient, ApiResponse } from '../source/api.ts';
import { describeResponse } from '../source/failure.ts';

/** A Lease as election sees it. Fields set by others are preserved. */
export interface LeaseObject {
  readonly uid: string;
  /** Undefined if nobody holds it, as the last one gave it back. */
  readonly holder: string | undefined;
  /** For how long a renewal is valid; undefined if not given. */
  readonly durationMs: number | undefined;
  /** How many holders it had before this one. */
  readonly transitions: number;
  /** Changes with every renewal. */
  readonly fingerprint: string;
  readonly manifest: Manifest;
}

/** What a holder writes. */
export interface Claim {
  readonly holder: string | undefined;
  readonly durationMs: number;
  readonly transitions: number;
  /** Milliseconds since the epoch, for people only: never compared with a clock. */
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
/** The duration in a released Lease, as written by https://pkg.go.dev/k8s.io/client-go/tools/leaderelection. */
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
export interface RequestLimits {
  readonly signal: AbortSignal;
  /** From connect to last byte, milliseconds. */
  readonly timeoutMs: number;
}

/** One Lease in one cluster. Writes are refused (`undefined`) if someone else has written since. */
export class LeaseClient {
  readonly #api: ApiClient;
  readonly #at: LeaseName;
  readonly #collection: string;

  constructor(api: ApiClient, at: LeaseName) {
    this.#api = api;
    this.#at = at;
    this.#collection = `/apis/${API_VERSION}/namespaces/${at.namespace}/leases`;
  }

  /** Undefined if there is none. @throws for any other answer than the object */
  async read(limits: RequestLimits): Promise<LeaseObject | undefined> {
    const path = `${this.#collection}/${this.#at.name}`;
    const response = await this.#api.request('GET', path, limits);
    return response.status === 404 ? undefined : this.#objectOf(response, 'GET', path);
  }

  /** Undefined if someone else has created it meanwhile. */
  async create(claim: Claim, limits: RequestLimits): Promise<LeaseObject | undefined> {
    const body = { apiVersion: API_VERSION, kind: 'Lease', metadata: this.#at, spec: specOf(claim) };
    const response = await this.#api.request('POST', this.#collection, { ...limits, body });
    return response.status === 409 ? undefined : this.#objectOf(response, 'POST', this.#collection);
  }

  /** Undefined if someone else has written or deleted it since `before`. */
  async update(before: LeaseObject, claim: Claim, limits: RequestLimits): Promise<LeaseObject | undefined> {
    const { manifest } = before;
    const body = { ...manifest, apiVersion: API_VERSION, kind: 'Lease', spec: { ...manifest.spec, ...specOf(claim) } };
    const path = `${this.#collection}/${this.#at.name}`;
    const response = await this.#api.request('PUT', path, { ...limits, body });
    return response.status === 409 || response.status === 404 ? undefined : this.#objectOf(response, 'PUT', path);
  }

  #objectOf(response: ApiResponse, method: string, path: string): LeaseObject {
    if (response.status >= 300) {
      const hint = response.status === 403 ? '; `watchchain rbac` prints the roles that it needs' : '';
      throw new Error(`Cannot ${method} ${path} on ${this.#api.host}: ${describeResponse(response)}${hint}`);
    }
    const manifest = lease.parse(JSON.parse(response.body.toString('utf8')));
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

/** `metav1.MicroTime` requires six fractional digits. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}
