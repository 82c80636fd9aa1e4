/** OpenShift 4's own kinds as custom resources; openshift-recorded.yaml has objects of them. */
import path from 'node:path';

interface Kind {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
  readonly shortNames?: readonly string[];
  readonly scope?: 'Cluster';
}

const KINDS: readonly Kind[] = [
  { group: 'route.openshift.io', plural: 'routes', kind: 'Route' },
  { group: 'apps.openshift.io', plural: 'deploymentconfigs', kind: 'DeploymentConfig', shortNames: ['dc'] },
  { group: 'build.openshift.io', plural: 'buildconfigs', kind: 'BuildConfig', shortNames: ['bc'] },
  { group: 'image.openshift.io', plural: 'imagestreams', kind: 'ImageStream', shortNames: ['is'] },
  { group: 'project.openshift.io', plural: 'projects', kind: 'Project', scope: 'Cluster' },
];

/** Objects of these kinds, recorded from clusters. */
export const RECORDED = path.join(import.meta.dirname, 'openshift-recorded.yaml');

export const CRDS = KINDS.map(({ group, plural, kind, shortNames = [], scope = 'Namespaced' }) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: `${plural}.${group}`,
    // The API server protects groups of Kubernetes, also these, which it does not know.
    annotations: { 'api-approved.kubernetes.io': 'unapproved, test' },
  },
  spec: {
    group,
    scope,
    names: { plural, singular: kind.toLowerCase(), kind, shortNames },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
}));
