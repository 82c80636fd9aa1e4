/** Who may access what: one gate for the whole server, chosen by configuration and address. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { isObject, type JsonObject } from '../json.ts';
import type { ApiClient } from '../source/api.ts';

/**
 * `probe`: anybody, always; `open`: anybody, to be asked for a token; `read`: those who may see changes; `write`: those who may
 * replay, discard and acknowledge.
 */
export type Access = 'probe' | 'open' | 'read' | 'write';

/** `unknown`: not authenticated (401); `refused`: not authorized (403). */
export type Verdict = 'allowed' | 'unknown' | 'refused';

export interface Gate {
  /** For the log and the login page. */
  readonly kind: 'loopback' | 'open' | 'token' | 'cluster' | 'closed';
  /** @param token the bearer token of the request or its session; undefined if there is none. Never rejects. */
  verdict(token: string | undefined, access: 'read' | 'write', path: string): Promise<Verdict>;
}

/** Reachable only from this machine: whoever is logged in here may do everything. */
export const loopbackGate: Gate = { kind: 'loopback', verdict: () => Promise.resolve('allowed') };

/** Open to everybody by configuration. */
export const openGate: Gate = { kind: 'open', verdict: () => Promise.resolve('allowed') };

/** What a closed gate means, and how to open it. */
export const CLOSED =
  'only /livez, /readyz and /metrics are served: set [web] token or clusterAccess, or listen on loopback';

/** No access was configured. */
export const closedGate: Gate = { kind: 'closed', verdict: () => Promise.resolve('refused') };

/** One token for all, compared in constant time. */
export function tokenGate(token: string): Gate {
  const expected = digest(token);
  return {
    kind: 'token',
    verdict: (presented) =>
      Promise.resolve(presented !== undefined && timingSafeEqual(digest(presented), expected) ? 'allowed' : 'unknown'),
  };
}

/** How long an answer holds: whose token it is, that its user may, that they may not. */
const REVIEWED_MS = 60_000;
const ALLOWED_MS = 5 * 60_000;
const REFUSED_MS = 30_000;
/** Answers that are remembered; then the oldest is dropped. */
const MAX_REMEMBERED = 1_000;
/** Requests of each kind under way: anybody may send any number of unknown tokens. */
const MAX_ASKED_AT_ONCE = 50;
const TIMEOUT_MS = 10_000;

interface AuthenticatedUser {
  readonly user: string;
  readonly uid: string | undefined;
  readonly groups: readonly string[];
  /** May restrict a token further than its user, such as OpenShift's scopes. */
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/**
 * The cluster says whose token it is (TokenReview) and whether that user may `get` or `update` the path (SubjectAccessReview), as
 * for the API server's own paths. Needs the rights of `system:auth-delegator`. Refuses if the cluster cannot be asked.
 */
export function clusterGate(api: () => ApiClient | undefined, clock: Clock): Gate {
  const reviews = new RequestCache<AuthenticatedUser | 'unknown'>(clock);
  const answers = new RequestCache<boolean>(clock);
  return {
    kind: 'cluster',
    async verdict(token, access, path) {
      const client = api();
      if (token === undefined) return 'unknown';
      if (client === undefined) return 'refused';
      try {
        const id = digest(token).toString('hex');
        const who = await reviews.get(
          id,
          () => review(client, token),
          () => REVIEWED_MS,
        );
        if (who === 'unknown') return 'unknown';
        const verb = access === 'read' ? 'get' : 'update';
        const may = await answers.get(
          `${id} ${verb} ${path}`,
          () => isAuthorized(client, who, verb, path),
          (allowed) => (allowed ? ALLOWED_MS : REFUSED_MS),
        );
        return may ? 'allowed' : 'refused';
      } catch {
        return 'refused';
      }
    },
  };
}

async function review(api: ApiClient, token: string): Promise<AuthenticatedUser | 'unknown'> {
  const status = await statusOf(api, '/apis/authentication.k8s.io/v1/tokenreviews', {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token },
  });
  const { authenticated, user } = status as {
    readonly authenticated?: boolean;
    readonly user?: Partial<Omit<AuthenticatedUser, 'user'>> & { readonly username?: string };
  };
  if (authenticated !== true || user?.username === undefined) return 'unknown';
  return { user: user.username, uid: user.uid, groups: user.groups ?? [], extra: user.extra ?? {} };
}

async function isAuthorized(api: ApiClient, who: AuthenticatedUser, verb: string, path: string): Promise<boolean> {
  const { allowed } = await statusOf(api, '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: { ...who, nonResourceAttributes: { verb, path } },
  });
  return allowed === true;
}

/** Creates a review, and returns its status. */
async function statusOf(api: ApiClient, path: string, body: object): Promise<JsonObject> {
  const response = await api.request('POST', path, { body, timeoutMs: TIMEOUT_MS });
  if (response.status !== 200 && response.status !== 201) throw new Error(`Cannot ask ${path}: ${response.status}`);
  const { status } = JSON.parse(response.body.toString()) as { readonly status?: unknown };
  return isObject(status) ? status : {};
}

/** Caches answers for a while; concurrent identical questions are asked once. */
class RequestCache<T> {
  readonly #clock: Clock;
  readonly #answers = new Map<string, { readonly answer: Promise<T>; until: number }>();
  #asking = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws if too many questions are pending */
  async get(key: string, ask: () => Promise<T>, holdsMs: (answer: T) => number): Promise<T> {
    const known = this.#answers.get(key);
    if (known !== undefined && known.until > this.#clock.monotonic()) return known.answer;
    if (this.#asking >= MAX_ASKED_AT_ONCE) throw new Error('too many requests at once');
    this.#asking++;
    const entry = { answer: ask(), until: Infinity };
    this.#answers.delete(key);
    this.#answers.set(key, entry);
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > MAX_REMEMBERED && oldest !== undefined) this.#answers.delete(oldest);
    try {
      const answer = await entry.answer;
      entry.until = this.#clock.monotonic() + holdsMs(answer);
      return answer;
    } catch (thrown) {
      this.#answers.delete(key);
      throw thrown;
    } finally {
      this.#asking--;
    }
  }
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
