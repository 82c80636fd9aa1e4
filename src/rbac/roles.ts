/** Roles and bindings for what is needed: a ClusterRole for all namespaces and cluster-scoped kinds, else a Role. */
import type { Grant } from './grants.ts';

export interface Account {
  readonly namespace: string;
  readonly name: string;
}

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

const API = { group: 'rbac.authorization.k8s.io', version: 'rbac.authorization.k8s.io/v1' };

/** Manifests to apply. Named as in the chart: `NAME` in the account's own namespace, elsewhere `NAME-NAMESPACE`. */
export function rolesFor(grants: readonly Grant[], account: Account): readonly object[] {
  const own = grants.filter(({ delegated }) => delegated !== true);
  const wide = `${account.name}-${account.namespace}`;
  const namespaces = [...new Set(own.map(({ namespace }) => namespace))].filter((namespace) => namespace !== '');
  const delegates = own.length < grants.length;
  return [
    role(
      { name: wide },
      own.filter(({ namespace }) => namespace === ''),
    ),
    binding({ name: wide }, wide, account),
    ...(delegates ? [binding({ name: `${wide}-auth-delegator` }, 'system:auth-delegator', account)] : []),
    ...namespaces.flatMap((namespace) => {
      const name = namespace === account.namespace ? account.name : wide;
      const granted = own.filter((grant) => grant.namespace === namespace);
      return [role({ name, namespace }, granted), binding({ name, namespace }, name, account)];
    }),
  ];
}

interface Metadata {
  readonly name: string;
  readonly namespace?: string;
}

function role(metadata: Metadata, grants: readonly Grant[]): object {
  const kind = metadata.namespace === undefined ? 'ClusterRole' : 'Role';
  return { apiVersion: API.version, kind, metadata, rules: grants.map(ruleOf) };
}

function ruleOf({ group, resource, name, verbs }: Grant): Rule {
  return {
    apiGroups: [group],
    resources: [resource],
    ...(name === undefined ? {} : { resourceNames: [name] }),
    verbs,
  };
}

function binding(metadata: Metadata, role: string, { namespace, name }: Account): object {
  const prefix = metadata.namespace === undefined ? 'Cluster' : '';
  return {
    apiVersion: API.version,
    kind: `${prefix}RoleBinding`,
    metadata,
    roleRef: { apiGroup: API.group, kind: `${prefix}Role`, name: role },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  };
}
