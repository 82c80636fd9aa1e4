/** Compares our rights with what is needed: SelfSubjectAccessReview finds missing ones, SelfSubjectRulesReview excessive ones. */
import { z } from 'zod';
import type { ApiClient } from '../source/api.ts';
import { groupResource } from '../source/resource-path.ts';
import type { Grant } from './grants.ts';

export interface Findings {
  /** `list deployments.apps in namespace shop`. */
  readonly missing: readonly string[];
  readonly excessive: readonly string[];
  /** The cluster has rules that it cannot list, such as a webhook's: there may be more excessive rights. */
  readonly incomplete: boolean;
}

/** Checked besides the configured namespaces, to find rights granted in all namespaces. */
const SAMPLE_NAMESPACES = ['default', 'kube-system'];

/** What `system:basic-user` grants to everyone. */
const GRANTED_TO_EVERYONE: ReadonlySet<string> = new Set([
  'selfsubjectaccessreviews.authorization.k8s.io',
  'selfsubjectrulesreviews.authorization.k8s.io',
  'selfsubjectreviews.authentication.k8s.io',
]);

const names = z.array(z.string()).nullish();
const rulesReview = z.object({
  status: z.object({
    resourceRules: z
      .array(z.object({ verbs: z.array(z.string()), apiGroups: names, resources: names, resourceNames: names }))
      .nullish(),
    incomplete: z.boolean().optional(),
  }),
});
type ResourceRule = NonNullable<z.output<typeof rulesReview>['status']['resourceRules']>[number];

const accessReview = z.object({ status: z.object({ allowed: z.boolean().optional() }) });

/** @throws if the cluster does not answer these questions */
export async function reviewGrants(api: ApiClient, grants: readonly Grant[]): Promise<Findings> {
  const missing = await missingOf(api, grants);
  const namespaces = new Set([...grants.map(({ namespace }) => namespace), ...SAMPLE_NAMESPACES].filter(Boolean));
  const excess = new Map<string, string[]>();
  let incomplete = false;
  for (const namespace of namespaces) {
    const { status } = await postReview(api, 'selfsubjectrulesreviews', { namespace }, rulesReview);
    incomplete ||= status.incomplete === true;
    const needed = grants.filter((grant) => grant.namespace === '' || grant.namespace === namespace);
    for (const what of excessOf(status.resourceRules ?? [], needed))
      excess.set(what, [...(excess.get(what) ?? []), namespace]);
  }
  const excessive = [...excess].map(([what, where]) => `${what} in ${where.join(', ')}`);
  return { missing, excessive, incomplete };
}

/** What we may not do. @throws if the cluster does not answer these questions */
export async function missingOf(api: ApiClient, grants: readonly Grant[]): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const grant of grants) {
    const refused: string[] = [];
    for (const verb of grant.verbs) if (!(await isAllowed(api, grant, verb))) refused.push(verb);
    if (refused.length > 0) missing.push(`${refused.join(', ')} ${resourceTitle(grant)} ${describeNamespace(grant)}`);
  }
  return missing;
}

/** @throws if the cluster does not answer the question */
export async function isAllowed(api: ApiClient, grant: Omit<Grant, 'verbs'>, verb: string): Promise<boolean> {
  const { group, namespace, name } = grant;
  const [resource = '', subresource] = grant.resource.split('/');
  const attributes = { verb, group, resource, subresource, name, ...(namespace === '' ? {} : { namespace }) };
  const { status } = await postReview(
    api,
    'selfsubjectaccessreviews',
    { resourceAttributes: attributes },
    accessReview,
  );
  return status.allowed === true;
}

async function postReview<T>(api: ApiClient, resource: string, spec: object, schema: z.ZodType<T>): Promise<T> {
  const kind = resource === 'selfsubjectrulesreviews' ? 'SelfSubjectRulesReview' : 'SelfSubjectAccessReview';
  const path = `/apis/authorization.k8s.io/v1/${resource}`;
  const body = { apiVersion: 'authorization.k8s.io/v1', kind, spec };
  const response = await api.request('POST', path, { body });
  if (response.status >= 300) throw new Error(`Cannot POST ${path} on ${api.host}: it answered ${response.status}`);
  return schema.parse(JSON.parse(response.body.toString('utf8')));
}

/** `get, list secrets`, once per resource: the verbs that no grant needs. */
function excessOf(rules: readonly ResourceRule[], needed: readonly Grant[]): readonly string[] {
  const verbs = new Map<string, Set<string>>();
  for (const permission of rules.flatMap(permissionsIn)) {
    if (isNeeded(permission, needed)) continue;
    const what = resourceTitle({ ...permission, name: permission.names.join(' ') || undefined });
    verbs.set(what, (verbs.get(what) ?? new Set()).add(permission.verb));
  }
  return [...verbs].map(([what, more]) => `${[...more].join(', ')} ${what}`);
}

function permissionsIn({ apiGroups, resources, resourceNames, verbs }: ResourceRule): readonly Permission[] {
  return (apiGroups ?? []).flatMap((group) =>
    (resources ?? []).flatMap((resource) =>
      verbs.map((verb) => ({ group, resource, names: resourceNames ?? [], verb })),
    ),
  );
}

interface Permission {
  readonly group: string;
  readonly resource: string;
  /** Empty for every object. */
  readonly names: readonly string[];
  readonly verb: string;
}

function isNeeded({ group, resource, names, verb }: Permission, needed: readonly Grant[]): boolean {
  if (verb === 'create' && GRANTED_TO_EVERYONE.has(`${resource}.${group}`)) return true;
  return needed.some(
    (grant) =>
      grant.group === group &&
      grant.resource === resource &&
      grant.verbs.includes(verb) &&
      (grant.name === undefined || (names.length > 0 && names.every((name) => name === grant.name))),
  );
}

/** `deployments.apps`, `namespaces "kube-system"`; `*.*` is everything. */
function resourceTitle({ name, ...kind }: Pick<Grant, 'group' | 'resource'> & { name?: string | undefined }): string {
  return `${groupResource(kind)}${name === undefined ? '' : ` "${name}"`}`;
}

function describeNamespace({ namespace, name }: Grant): string {
  if (namespace !== '') return `in namespace ${namespace}`;
  return name === undefined ? 'in all namespaces' : 'at the cluster scope';
}
