/** The kinds that the embedded API server serves. */
import { apiVersionOf, groupVersionOf } from '../../change.ts';
import type { Resource } from '../../source/source.ts';

/** A kind to serve. Only the first five fields are required. */
export interface ResourceType extends Pick<Resource, 'group' | 'version' | 'resource' | 'kind' | 'namespaced'> {
  readonly shortNames?: readonly string[];
  /** As on OpenShift 3, without a group. */
  readonly root?: '/oapi';
  /** Default: the kind in lower case. */
  readonly singular?: string;
  /** Default: all eight. */
  readonly verbs?: readonly string[];
  /** Default: `["status"]`. */
  readonly subresources?: readonly string[];
  /** An aggregated API whose server is down: discovery lists the group version as stale, everything below it answers 503. */
  readonly unavailable?: boolean;
}

const ALL_VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'] as const;

/** A kind with every default filled in. */
export interface ServedType extends Resource {
  readonly subresources: readonly string[];
  readonly unavailable: boolean;
  /** Custom resources are written with sorted keys and keep kind and apiVersion in lists; built-in kinds do neither. */
  readonly custom: boolean;
  /** Whether `metadata.generation` counts changes of the desired state. */
  readonly hasGeneration: boolean;
}

const GENERATION_GROUPS: ReadonlySet<string> = new Set(['apps', 'batch', 'networking.k8s.io', 'policy']);

/** Fills in the defaults of a kind. */
function served(type: ResourceType, custom: boolean): ServedType {
  return {
    ...type,
    shortNames: type.shortNames ?? [],
    singular: type.singular ?? type.kind.toLowerCase(),
    verbs: type.verbs ?? ALL_VERBS,
    subresources: type.subresources ?? ['status'],
    unavailable: type.unavailable ?? false,
    custom,
    hasGeneration: custom || GENERATION_GROUPS.has(type.group),
  };
}

type Row = readonly [
  resource: string,
  kind: string,
  shortNames?: string,
  scope?: 'cluster' | undefined,
  subresources?: string,
];

/** As printed by `kubectl api-resources`; subresources only if not just `status`. */
const BUILT_IN: Readonly<Record<string, readonly Row[]>> = {
  v1: [
    ['configmaps', 'ConfigMap', 'cm', undefined, ''],
    ['endpoints', 'Endpoints', 'ep', undefined, ''],
    ['events', 'Event', 'ev', undefined, ''],
    ['limitranges', 'LimitRange', 'limits', undefined, ''],
    ['namespaces', 'Namespace', 'ns', 'cluster'],
    ['nodes', 'Node', 'no', 'cluster'],
    ['persistentvolumeclaims', 'PersistentVolumeClaim', 'pvc'],
    ['persistentvolumes', 'PersistentVolume', 'pv', 'cluster'],
    ['pods', 'Pod', 'po', undefined, 'log status'],
    ['podtemplates', 'PodTemplate', '', undefined, ''],
    ['replicationcontrollers', 'ReplicationController', 'rc', undefined, 'scale status'],
    ['resourcequotas', 'ResourceQuota', 'quota'],
    ['secrets', 'Secret', '', undefined, ''],
    ['serviceaccounts', 'ServiceAccount', 'sa', undefined, ''],
    ['services', 'Service', 'svc'],
  ],
  'apps/v1': [
    ['controllerrevisions', 'ControllerRevision', '', undefined, ''],
    ['daemonsets', 'DaemonSet', 'ds'],
    ['deployments', 'Deployment', 'deploy', undefined, 'scale status'],
    ['replicasets', 'ReplicaSet', 'rs', undefined, 'scale status'],
    ['statefulsets', 'StatefulSet', 'sts', undefined, 'scale status'],
  ],
  'autoscaling/v2': [['horizontalpodautoscalers', 'HorizontalPodAutoscaler', 'hpa']],
  'batch/v1': [
    ['cronjobs', 'CronJob', 'cj'],
    ['jobs', 'Job'],
  ],
  'coordination.k8s.io/v1': [['leases', 'Lease', '', undefined, '']],
  'discovery.k8s.io/v1': [['endpointslices', 'EndpointSlice', '', undefined, '']],
  'events.k8s.io/v1': [['events', 'Event', 'ev', undefined, '']],
  'networking.k8s.io/v1': [
    ['ingresses', 'Ingress', 'ing'],
    ['networkpolicies', 'NetworkPolicy', 'netpol', undefined, ''],
  ],
  'policy/v1': [['poddisruptionbudgets', 'PodDisruptionBudget', 'pdb']],
  'rbac.authorization.k8s.io/v1': [
    ['clusterrolebindings', 'ClusterRoleBinding', '', 'cluster', ''],
    ['clusterroles', 'ClusterRole', '', 'cluster', ''],
    ['rolebindings', 'RoleBinding', '', undefined, ''],
    ['roles', 'Role', '', undefined, ''],
  ],
  'storage.k8s.io/v1': [['storageclasses', 'StorageClass', 'sc', 'cluster', '']],
};

const VERBS_OF: Readonly<Record<string, readonly string[]>> = {
  Namespace: ALL_VERBS.filter((verb) => verb !== 'deletecollection'),
};

const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');

/** The built-in kinds, one version each. */
const BUILT_IN_TYPES: readonly ServedType[] = Object.entries(BUILT_IN).flatMap(([apiVersion, rows]) => {
  const groupVersion = groupVersionOf(apiVersion);
  return rows.map(([resource, kind, shortNames = '', scope, subresources = 'status']) => {
    const type = {
      ...groupVersion,
      resource,
      kind,
      namespaced: scope !== 'cluster',
      verbs: VERBS_OF[kind] ?? ALL_VERBS,
    };
    return served({ ...type, shortNames: words(shortNames), subresources: words(subresources) }, false);
  });
});

/** The kinds of one server; a custom resource may be installed and removed while it runs. */
export class TypeTable {
  readonly #types: ServedType[] = [...BUILT_IN_TYPES];

  all(): readonly ServedType[] {
    return this.#types;
  }

  /** Replaces a kind of the same group, version and name. A group's first added version is its preferred one. */
  add(type: ResourceType): void {
    this.remove(type);
    this.#types.push(served(type, true));
  }

  remove(type: Pick<ResourceType, 'group' | 'version' | 'resource'>): void {
    const at = this.#types.findIndex(
      ({ group, version, resource }) => group === type.group && version === type.version && resource === type.resource,
    );
    if (at !== -1) this.#types.splice(at, 1);
  }

  byResource(group: string, version: string, resource: string): ServedType | undefined {
    return this.#types.find((type) => type.resource === resource && type.version === version && type.group === group);
  }

  /** Throws if no served kind matches. */
  byKind(kind: string, apiVersion?: string): ServedType {
    const type = this.#types.find(
      (type) => type.kind === kind && (apiVersion === undefined || apiVersionOf(type) === apiVersion),
    );
    if (type !== undefined) return type;
    throw new Error(`Cannot find kind ${kind} of ${apiVersion ?? 'any version'}: add it with addResource() first`);
  }
}
