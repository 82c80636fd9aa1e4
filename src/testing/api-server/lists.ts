/** LIST: snapshots in pages. */
import { apiVersionOf } from '../../change.ts';
import type { ServedType } from './resource-types.ts';
import { checkListOptions } from './list-options.ts';
import { parseSelectors } from './selectors.ts';
import { StatusError } from './status.ts';
import type { Cluster } from './cluster.ts';
import { compare, type StoredObject } from './storage.ts';
import { inVersion, listItem } from './wire.ts';

interface ContinueToken {
  /** The revision of the first page: all pages show the same moment. */
  readonly rv: number;
  /** The last key of the page before. */
  readonly start: string;
}

const EXPIRED =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without ' +
  'the continue parameter, or use the continue token in this response to retrieve the remainder of the results.';

/**
 * The body of a list, in parts.
 * @param pageLimit the maximum page size, even if the request sets no limit.
 */
export function list(
  cluster: Cluster,
  type: ServedType,
  namespace: string,
  query: URLSearchParams,
  pageLimit: number = Infinity,
): Buffer[] {
  checkListOptions(query, false, false);
  const collection = cluster.collection(type);
  const select = objectsOf(cluster, type, namespace, query);
  const token = readToken(query, cluster.revision.current, collection.compactedTo);
  const { rv } = token;
  const matching = select(rv).filter(({ key }) => token.start === '' || compare(key, token.start) > 0);
  const limit = Math.min(Number(query.get('limit') ?? 0) || Infinity, pageLimit);
  const page = matching.slice(0, Math.min(limit, matching.length));
  const remaining = matching.length - page.length;
  const last = page.at(-1);
  const next = remaining === 0 || last === undefined ? '' : writeToken({ rv, start: last.key });
  const metadata = {
    resourceVersion: String(rv),
    ...(next === '' ? {} : { continue: next }),
    ...(next === '' || isSelecting(query) ? {} : { remainingItemCount: remaining }),
  };
  return listBody(type, metadata, page);
}

const isSelecting = (query: URLSearchParams): boolean =>
  ['labelSelector', 'fieldSelector'].some((name) => (query.get(name) ?? '') !== '');

/** The objects that a request selects, as they were at a revision. Throws StatusError 400 for a bad selector. */
export function objectsOf(
  cluster: Cluster,
  type: ServedType,
  namespace: string,
  query: URLSearchParams,
): (revision: number) => readonly StoredObject[] {
  const select = parseSelectors(type, query.get('labelSelector') ?? '', query.get('fieldSelector') ?? '');
  const isMatch = (object: StoredObject) => inNamespace(object, namespace) && (select === undefined || select(object));
  return (revision) => cluster.collection(type).snapshot(revision).filter(isMatch);
}

export const inNamespace = (object: StoredObject, namespace: string): boolean =>
  namespace === '' || object.namespace === namespace;

/** Lists of custom resources are written with sorted keys: the metadata comes after the items. */
function listBody(type: ServedType, metadata: object, page: readonly StoredObject[]): Buffer[] {
  const apiVersion = apiVersionOf(type);
  const kind = `${type.kind}List`;
  const sortedMetadata = JSON.stringify({ continue: '', ...metadata });
  const [head, tail] = type.custom
    ? [`{"apiVersion":"${apiVersion}","items":[`, `],"kind":"${kind}","metadata":${sortedMetadata}}\n`]
    : [`{"kind":"${kind}","apiVersion":"${apiVersion}","metadata":${JSON.stringify(metadata)},"items":[`, ']}\n'];
  const comma = Buffer.from(',');
  const items = page.flatMap((object, at) => {
    const item = listItem(inVersion(object.bytes, type), type);
    return at === 0 ? [item] : [comma, item];
  });
  return [Buffer.from(head), ...items, Buffer.from(tail)];
}

function readToken(query: URLSearchParams, current: number, compactedTo: number): ContinueToken {
  const text = query.get('continue') ?? '';
  const resourceVersion = query.get('resourceVersion') ?? '';
  if (text !== '') {
    const token = parseToken(text);
    if (resourceVersion !== '' && resourceVersion !== '0') {
      throw new StatusError(400, { message: 'specifying resource version is not allowed when using continue' });
    }
    // -1 is the server's own value for "from this key on, as it is now".
    if (token.rv === -1) return { ...token, rv: current };
    if (token.rv >= compactedTo) return token;
    throw new StatusError(410, { message: EXPIRED, continueToken: writeToken({ ...token, rv: -1 }) });
  }
  const requested = Number(resourceVersion);
  if (requested > current) {
    throw new StatusError(504, {
      message: `Timeout: Too large resource version: ${requested}, current: ${current}`,
      details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }] },
      retryAfterSeconds: 1,
    });
  }
  if (query.get('resourceVersionMatch') !== 'Exact') return { rv: current, start: '' };
  if (requested >= compactedTo) return { rv: requested, start: '' };
  throw new StatusError(410, { message: `The resourceVersion for the provided list is too old.` });
}

const writeToken = (token: ContinueToken): string =>
  Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', ...token })).toString('base64url');

function parseToken(text: string): ContinueToken {
  try {
    const token = JSON.parse(Buffer.from(text, 'base64url').toString()) as Partial<ContinueToken>;
    if (typeof token.rv === 'number' && typeof token.start === 'string') return { rv: token.rv, start: token.start };
  } catch {
    // Reported below, as for a token that is JSON.
  }
  throw new StatusError(400, { message: 'continue key is not valid' });
}
