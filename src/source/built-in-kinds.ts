/** The kinds of Kubernetes itself under their names in roles, for use without a cluster. */
import { groupVersionOf } from '../change.ts';
import { resolveIn, type Resolution } from './discovery.ts';
import type { Resource } from './source.ts';

type Row = readonly [resource: string, kind: string, shortNames?: string, scope?: 'cluster'];

/** As printed by `kubectl api-resources`. Keep `chart/templates/_kinds.tpl` in step. */
const BUILT_IN: Readonly<Record<string, readonly Row[]>> = {
  v1: [
    ['configmaps', 'ConfigMap', 'cm'],
    ['endpoints', 'Endpoints', 'ep'],
    ['events', 'Event', 'ev'],
    ['limitranges', 'LimitRange', 'limits'],
    ['namespaces', 'Namespace', 'ns', 'cluster'],
    ['nodes', 'Node', 'no', 'cluster'],
    ['persistentvolumes', 'PersistentVolume', 'pv', 'cluster'],
    ['persistentvolumeclaims', 'PersistentVolumeClaim', 'pvc'],
    ['pods', 'Pod', 'po'],
    ['replicationcontrollers', 'ReplicationController', 'rc'],
    ['resourcequotas', 'ResourceQuota', 'quota'],
    ['secrets', 'Secret'],
    ['services', 'Service', 'svc'],
    ['serviceaccounts', 'ServiceAccount', 'sa'],
  ],
  'apps/v1': [
    ['daemonsets', 'DaemonSet', 'ds'],
    ['deployments', 'Deployment', 'deploy'],
    ['replicasets', 'ReplicaSet', 'rs'],
    ['statefulsets', 'StatefulSet', 'sts'],
  ],
  'autoscaling/v2': [['horizontalpodautoscalers', 'HorizontalPodAutoscaler', 'hpa']],
  'batch/v1': [
    ['cronjobs', 'CronJob', 'cj'],
    ['jobs', 'Job'],
  ],
  'discovery.k8s.io/v1': [['endpointslices', 'EndpointSlice']],
  'networking.k8s.io/v1': [
    ['ingresses', 'Ingress', 'ing'],
    ['ingressclasses', 'IngressClass', '', 'cluster'],
    ['networkpolicies', 'NetworkPolicy', 'netpol'],
  ],
  'policy/v1': [['poddisruptionbudgets', 'PodDisruptionBudget', 'pdb']],
  'rbac.authorization.k8s.io/v1': [
    ['clusterroles', 'ClusterRole', '', 'cluster'],
    ['clusterrolebindings', 'ClusterRoleBinding', '', 'cluster'],
    ['roles', 'Role'],
    ['rolebindings', 'RoleBinding'],
  ],
  'storage.k8s.io/v1': [['storageclasses', 'StorageClass', 'sc', 'cluster']],
  'apiextensions.k8s.io/v1': [['customresourcedefinitions', 'CustomResourceDefinition', 'crd crds', 'cluster']],
};

export const BUILT_IN_KINDS: readonly Resource[] = Object.entries(BUILT_IN).flatMap(([apiVersion, rows]) => {
  return rows.map(([resource, kind, shortNames = '', scope]) => ({
    ...groupVersionOf(apiVersion),
    resource,
    kind,
    namespaced: scope === undefined,
    shortNames: shortNames.split(' ').filter((name) => name !== ''),
    singular: kind.toLowerCase(),
    verbs: ['list', 'watch'],
  }));
});

/** Resolves a name by the rules of discovery. */
export function resolveBuiltIn(name: string, apiVersion: string | undefined): Resolution {
  const groupVersions = new Set(Object.keys(BUILT_IN));
  const served = { resources: BUILT_IN_KINDS, unwatched: [], groupVersions, unknown: new Map() };
  return resolveIn(served, name, apiVersion);
}
