/** Who may do what: SelfSubjectAccessReview, SelfSubjectRulesReview and refusals worded like RBAC's. */
import { groupResource } from '../../source/resource-path.ts';
import { StatusError } from './status.ts';

/** The attributes of a request, or of a review. */
export interface AccessAttributes {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  /** `""`: all namespaces. */
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
}

/** Whether this server's only user is allowed to. */
export type AccessRule = (attributes: AccessAttributes) => boolean;

const USER = 'system:serviceaccount:watchchain:watchchain';

/** Throws the 403 that RBAC answers. */
export function authorize(rule: AccessRule, attributes: AccessAttributes): void {
  if (rule(attributes)) return;
  const { verb, group, resource, namespace, name, subresource } = attributes;
  const what = subresource === '' ? resource : `${resource}/${subresource}`;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  const which = `${groupResource(attributes)}${name === '' ? '' : ` "${name}"`}`;
  throw new StatusError(403, {
    message: `${which} is forbidden: User "${USER}" cannot ${verb} resource "${what}" in API group "${group}" ${where}`,
    details: { ...(name === '' ? {} : { name }), ...(group === '' ? {} : { group }), kind: resource },
  });
}

interface Review {
  readonly spec?: { readonly resourceAttributes?: Partial<AccessAttributes> };
}

/** The answer to a POSTed SelfSubjectAccessReview. */
export function review(rule: AccessRule, body: unknown): object {
  const attributes = (body as Review).spec?.resourceAttributes;
  if (attributes === undefined) throw new StatusError(422, { message: 'spec.resourceAttributes: Required value' });
  const { verb = '', group = '', resource = '', namespace = '', name = '', subresource = '' } = attributes;
  const allowed = rule({ verb, group, resource, namespace, name, subresource });
  return {
    kind: 'SelfSubjectAccessReview',
    apiVersion: 'authorization.k8s.io/v1',
    metadata: {},
    spec: { resourceAttributes: attributes },
    status: { allowed, ...(allowed ? { reason: 'RBAC: allowed' } : {}) },
  };
}

interface RulesReview {
  readonly spec?: { readonly namespace?: string };
}

/** The answer to a POSTed SelfSubjectRulesReview: each kind, one by one, with the verbs that the rule allows there. */
export function reviewRules(
  rule: AccessRule,
  types: readonly { readonly group: string; readonly resource: string; readonly verbs: readonly string[] }[],
  body: unknown,
): object {
  const namespace = (body as RulesReview).spec?.namespace ?? '';
  if (namespace === '') throw new StatusError(400, { message: 'no namespace on request' });
  const resourceRules = types.flatMap(({ group, resource, verbs: all }) => {
    const verbs = all.filter((verb) => rule({ verb, group, resource, namespace, name: '', subresource: '' }));
    return verbs.length === 0 ? [] : [{ apiGroups: [group], resources: [resource], verbs }];
  });
  return {
    kind: 'SelfSubjectRulesReview',
    apiVersion: 'authorization.k8s.io/v1',
    metadata: {},
    spec: {},
    status: { resourceRules, nonResourceRules: [], incomplete: false },
  };
}
