/** OpenShift 4's own kinds as custom resources, and objects of them as a cluster has them, without what tells whose they were. */

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

export const CRDS = KINDS.map(({ group, plural, kind, shortNames = [], scope = 'Namespaced' }) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: `${plural}.${group}`,
    // The API server lets nobody else have groups of Kubernetes; these it does not know.
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

export const route = (host: string) => ({
  apiVersion: 'route.openshift.io/v1',
  kind: 'Route',
  metadata: {
    name: 'nodejs-ex',
    namespace: 'default',
    labels: { app: 'nodejs-ex' },
    annotations: { 'openshift.io/host.generated': 'true' },
  },
  spec: {
    host,
    port: { targetPort: '8080-tcp' },
    tls: { termination: 'edge', insecureEdgeTerminationPolicy: 'Redirect' },
    to: { kind: 'Service', name: 'nodejs-ex', weight: 100 },
    wildcardPolicy: 'None',
  },
  status: {
    ingress: [
      {
        conditions: [{ lastTransitionTime: '2026-01-05T08:00:00Z', status: 'True', type: 'Admitted' }],
        host,
        routerName: 'default',
        wildcardPolicy: 'None',
      },
    ],
  },
});

export const deploymentConfig = (replicas: number) => ({
  apiVersion: 'apps.openshift.io/v1',
  kind: 'DeploymentConfig',
  metadata: { name: 'nodejs-ex', namespace: 'default', labels: { app: 'nodejs-ex' } },
  spec: {
    replicas,
    selector: { app: 'nodejs-ex', deploymentconfig: 'nodejs-ex' },
    strategy: { type: 'Rolling', rollingParams: { maxSurge: '25%', maxUnavailable: '25%' } },
    template: {
      metadata: { labels: { app: 'nodejs-ex', deploymentconfig: 'nodejs-ex' } },
      spec: { containers: [{ name: 'nodejs-ex', image: 'image-registry.example/demo/nodejs-ex:1' }] },
    },
    triggers: [{ type: 'ConfigChange' }],
  },
});

export const buildConfig = (ref: string) => ({
  apiVersion: 'build.openshift.io/v1',
  kind: 'BuildConfig',
  metadata: { name: 'nodejs-ex', namespace: 'default' },
  spec: {
    output: { to: { kind: 'ImageStreamTag', name: 'nodejs-ex:latest' } },
    source: { git: { uri: 'https://git.example/nodejs-ex.git', ref }, type: 'Git' },
    strategy: { type: 'Source', sourceStrategy: { from: { kind: 'ImageStreamTag', name: 'nodejs:20' } } },
  },
});

export const project = (description: string) => ({
  apiVersion: 'project.openshift.io/v1',
  kind: 'Project',
  metadata: { name: 'demo', annotations: { 'openshift.io/description': description } },
  spec: { finalizers: ['kubernetes'] },
  status: { phase: 'Active' },
});
