/** Routes a request to an answer or an open watch. */
import fastJsonPatch, { type Operation } from 'fast-json-patch';
import { apiVersionOf, type Manifest } from '../../change.ts';
import type { Json, JsonObject } from '../../json.ts';
import { authorize, review, reviewRules, type AccessRule } from './access.ts';
import type { Cluster, WriteOptions } from './cluster.ts';
import { AGGREGATED, aggregated, group, groupList, notServed, resourceList } from './discovery.ts';
import { list, objectsOf } from './lists.ts';
import { mergePatch } from './merge-patch.ts';
import { parsePath, type RequestInfo } from './path.ts';
import type { ServedType } from './resource-types.ts';
import { StatusError } from './status.ts';
import { keyOf } from './storage.ts';
import { WatchStream, type WatchContext } from './watch-stream.ts';
import { inVersion, serialize } from './wire.ts';

export interface RouteContext extends WatchContext {
  readonly access: AccessRule;
  readonly pageLimit: number | undefined;
}

export interface RouteRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly accept: string;
  readonly contentType: string;
  readonly userAgent: string;
  readonly body: string;
}

export interface RouteResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: readonly Buffer[];
  readonly retryAfterSeconds?: number;
}

/** Throws StatusError for what the server refuses. */
export function route(context: RouteContext, request: RouteRequest): RouteResponse | WatchStream {
  const info = parsePath(request.path);
  if (info === undefined) return nonResourceResponse(context.cluster, request);
  if (info.resource === 'selfsubjectaccessreviews' && request.method === 'POST') {
    return json(review(context.access, parseBody(request)), 201);
  }
  if (info.resource === 'selfsubjectrulesreviews' && request.method === 'POST') {
    return json(reviewRules(context.access, context.cluster.types.all(), parseBody(request)), 201);
  }
  const type = context.cluster.types.byResource(info.group, info.version, info.resource);
  if (type?.unavailable === true) throw new StatusError(503);
  const verb = verbOf(request, info);
  authorize(context.access, { ...info, verb });
  if (type === undefined) throw notServed(context.cluster.types.all(), info.group);
  if (info.subresource !== '' && !type.subresources.includes(info.subresource)) throw new StatusError(404);
  const isAcrossNamespaces = type.namespaced && info.namespace === '';
  if (info.subresource === '' && !(type.verbs.includes(verb) && (READS.has(verb) || !isAcrossNamespaces))) {
    throw new StatusError(405);
  }
  // Refused, since it would be a write.
  if (request.query.has('dryRun')) throw new StatusError(400, { message: 'dry run is not supported' });
  return info.name === '' ? onCollection(context, type, info, request) : onObject(context, type, info, request);
}

const READS: ReadonlySet<string> = new Set(['get', 'list', 'watch']);

/** Anything but these two means yes. */
export const isWatch = (query: URLSearchParams): boolean => !['0', 'false'].includes(query.get('watch') ?? 'false');

function verbOf({ method, query }: RouteRequest, { name }: RequestInfo): string {
  if (method === 'GET') return name !== '' ? 'get' : isWatch(query) ? 'watch' : 'list';
  const verbs: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch' };
  return verbs[method] ?? (name === '' ? 'deletecollection' : 'delete');
}

function nonResourceResponse({ types }: Cluster, { path, accept }: RouteRequest): RouteResponse {
  // client-go before 1.30 asks for v2beta1 only, and takes a document of v2 for one without any kinds.
  const wantsAggregated = /;as=APIGroupDiscoveryList\b/.test(accept) && /;v=v2(?!\w)/.test(accept);
  const [, root, groupName, version] = path.replace(/\/$/, '').split('/');
  if (['healthz', 'livez', 'readyz'].includes(root ?? '')) return respond('ok', 'text/plain; charset=utf-8');
  if (root === 'version') return json({ major: '1', minor: '34', gitVersion: 'v1.34.0', platform: 'linux/amd64' });
  const all = types.all().filter((type) => (type.root === '/oapi') === (root === 'oapi'));
  if (root === 'oapi' && all.length > 0) return json(resourceList(all, '', 'v1'));
  if (root !== 'api' && root !== 'apis') throw notServed([], '');
  if (groupName === undefined) {
    if (wantsAggregated) return respond(JSON.stringify(aggregated(all, root === 'api')), AGGREGATED);
    return json(root === 'api' ? { kind: 'APIVersions', versions: ['v1'] } : groupList(all));
  }
  if (root === 'api') return json(resourceList(all, '', groupName));
  return json(version === undefined ? group(all, groupName) : resourceList(all, groupName, version));
}

function onCollection(
  context: RouteContext,
  type: ServedType,
  info: RequestInfo,
  request: RouteRequest,
): RouteResponse | WatchStream {
  const { cluster, pageLimit } = context;
  switch (request.method) {
    case 'GET':
      if (isWatch(request.query)) return new WatchStream(context, type, info.namespace, request.query, request.path);
      return {
        status: 200,
        contentType: JSON_TYPE,
        body: list(cluster, type, info.namespace, request.query, pageLimit),
      };
    case 'POST': {
      const manifest = cluster.create(fromBody(parseBody(request), type, info), writer(request));
      return object(manifest, type, 201);
    }
    case 'DELETE': {
      const selected = objectsOf(cluster, type, info.namespace, request.query);
      for (const { key } of selected(cluster.revision.current)) cluster.delete(type, key);
      return json({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' });
    }
    default:
      throw new StatusError(405);
  }
}

function onObject(context: RouteContext, type: ServedType, info: RequestInfo, request: RouteRequest): RouteResponse {
  const { cluster } = context;
  const key = keyOf(info.name, type.namespaced ? info.namespace : '');
  const before = cluster.existing(type, key);
  const subresource = info.subresource === '' ? undefined : info.subresource;
  if (subresource === 'log') return log(cluster.logs.get(key) ?? '', request);
  switch (request.method) {
    case 'GET':
      return object(before, type);
    case 'PUT':
    case 'PATCH': {
      const wanted = request.method === 'PUT' ? fromBody(parseBody(request), type, info) : patched(before, request);
      // With a status subresource, the status is only written through that.
      const kept =
        subresource === undefined && type.subresources.includes('status') ? { status: before['status'] } : {};
      return object(cluster.update({ ...wanted, ...kept }, { ...writer(request), subresource }), type);
    }
    case 'DELETE':
      return object(cluster.delete(type, key), type);
    default:
      throw new StatusError(405);
  }
}

/** The log of any container, running or not. */
function log(text: string, { method, query }: RouteRequest): RouteResponse {
  if (method !== 'GET') throw new StatusError(405);
  const lines = text.split(/(?<=\n)/);
  const lineCount = Number(query.get('tailLines') ?? lines.length);
  return respond(lines.slice(Math.max(0, lines.length - lineCount)).join(''), 'text/plain');
}

function patched(before: Manifest, { contentType, body }: RouteRequest): Manifest {
  const patch = JSON.parse(body) as Json;
  const { resourceVersion: _resourceVersion, ...metadata } = before.metadata;
  const target = { ...before, metadata } as JsonObject;
  if (contentType.startsWith('application/merge-patch+json')) return mergePatch(target, patch) as unknown as Manifest;
  if (contentType.startsWith('application/json-patch+json')) {
    const copy = structuredClone(target) as unknown as Manifest;
    return fastJsonPatch.applyPatch(copy, patch as unknown as Operation[]).newDocument;
  }
  const supported = ['application/json-patch+json', 'application/merge-patch+json'].join(', ');
  throw new StatusError(415, {
    message: `the body of the request was in an unknown format - accepted media types include: ${supported}`,
  });
}

function parseBody({ body }: RouteRequest): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new StatusError(400, { message: `the object provided is unrecognized: ${(error as Error).message}` });
  }
}

/** The path determines kind, namespace and name. */
function fromBody(body: unknown, type: ServedType, info: RequestInfo): Manifest {
  const given = body as Manifest;
  const metadata = {
    ...given.metadata,
    ...(type.namespaced ? { namespace: info.namespace } : {}),
    ...(info.name === '' ? {} : { name: info.name }),
  };
  return { ...given, apiVersion: apiVersionOf(type), kind: type.kind, metadata };
}

function writer({ query, userAgent }: RouteRequest): WriteOptions {
  const program = userAgent.split('/', 1)[0];
  return { manager: query.get('fieldManager') ?? (program === undefined || program === '' ? 'unknown' : program) };
}

const JSON_TYPE = 'application/json';

export const respond = (body: string | Buffer, contentType: string, status = 200): RouteResponse => ({
  status,
  contentType,
  body: [Buffer.from(body)],
});

/** Any other JSON answer. */
export const json = (body: unknown, status = 200): RouteResponse =>
  respond(`${JSON.stringify(body)}\n`, JSON_TYPE, status);

const object = (manifest: Manifest, type: ServedType, status = 200): RouteResponse =>
  respond(inVersion(serialize(manifest, type), type), JSON_TYPE, status);
