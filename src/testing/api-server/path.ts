/** What a request is about, parsed from its path like on the real server. */

export interface RequestInfo {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  /** `""`: all namespaces, or a kind without namespaces. */
  readonly namespace: string;
  /** `""`: the collection. */
  readonly name: string;
  readonly subresource: string;
}

/** A path below a group version; undefined for any other: `/api`, `/apis/apps/v1`, `/version`. */
export function parsePath(path: string): RequestInfo | undefined {
  const [root, ...parts] = path.split('/').slice(1).map(decodeURIComponent);
  if (root !== 'api' && root !== 'apis' && root !== 'oapi') return undefined;
  const group = root === 'apis' ? (parts.shift() ?? '') : '';
  const version = parts.shift() ?? '';
  if (parts[0] === undefined || parts[0] === '') return undefined;
  // `namespaces/x` is the Namespace itself, `namespaces/x/pods` is inside it.
  const inNamespace = parts[0] === 'namespaces' && parts.length > 2 && !NAMESPACE_SUBRESOURCES.has(parts[2] ?? '');
  const [namespace = ''] = inNamespace ? parts.splice(0, 2).slice(1) : [''];
  const [resource = '', name = '', subresource = ''] = parts;
  return { group, version, resource, namespace, name, subresource };
}

const NAMESPACE_SUBRESOURCES: ReadonlySet<string> = new Set(['status', 'finalize']);
