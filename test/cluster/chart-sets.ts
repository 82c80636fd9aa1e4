/** Sets of values that the tests of the chart render, apply and compare. */

/** config.toml as text, in another spelling. */
const TEXT = `# Who was told.
[cluster]
name = "prod-eu"

[[Resource]]
Kind = "deploy"
namespaces = ["shop"]

[[Resource]]
kind = "node"

[[handler]]
name = "podAlerts"
logLines = 0

[[chain]]
name = "quotas"
  [[chain.resource]]
  kind = "ResourceQuota"
  [chain.handler]
  name = "log"
`;

const handler = [{ name: 'diff' }, { name: 'log' }];

export const SETS = {
  default: {},
  everything: {
    slack: { webhookURL: 'https://hooks.slack.example/x', clusterName: 'prod-eu' },
    web: { token: 'a-token-for-the-page' },
    config: { web: { clusterAccess: true }, resource: [{ kind: 'pod' }], handler: [{ name: 'log' }] },
    podDisruptionBudget: { create: true },
    networkPolicy: { create: true, from: [{ namespaceSelector: {} }] },
    logLevel: 'debug',
    extraEnv: [{ name: 'TEAM', value: 'ops' }],
    extraEnvFrom: [{ secretRef: { name: 'receivers' } }],
    extraArgs: ['--or-in-memory'],
    image: { digest: `sha256:${'0'.repeat(64)}` },
    podLabels: { team: 'ops' },
    priorityClassName: 'system-cluster-critical',
    persistence: { storageClassName: 'fast' },
    fullnameOverride: 'watcher',
  },
  text: { config: TEXT, namespaces: ['billing', 'web'], labelSelector: 'tier=web' },
  'own-secrets': { slack: { existingSecret: 'mine' }, web: { existingSecret: 'mine', key: 'page' } },
  kwatchman: {
    kwatchman: {
      config: {
        resource: [{ kind: 'deployment' }],
        handler: [...handler, { name: 'slack', webhookURL: 'https://hooks.slack.example/x', clusterName: 'prod-eu' }],
      },
      filter_by: { namespace: 'shop', labelSelector: 'tier=web' },
    },
  },
  'event-exporter': {
    config: {
      logLevel: 'error',
      logFormat: 'json',
      namespace: 'shop',
      route: { routes: [{ match: [{ kind: 'Pod', receiver: 'dump' }] }] },
      receivers: [{ name: 'dump', stdout: { layout: { text: '{{ .Reason }}: {{ .Message }}' } } }],
    },
  },
  'giant-swarm': {
    watchReasons: ['Upgraded'],
    managementCluster: { name: 'mc', customer: 'acme' },
    slack: { token: 'xoxb-a-token', channel: '#upgrades', cache: { enabled: true } },
    grafana: { token: 'not-used' },
    env: [{ name: 'NO_PROXY', value: '.svc' }],
  },
  patterns: {
    namespaces: ['team-*'],
    config: {
      resource: [{ kind: 'deployment', namespaces: ['shop', 'web-*'] }, { kind: 'configmap' }],
      handler: [{ name: 'log' }],
    },
  },
  openshift: { openshift: true, networkPolicy: { create: true } },
  'own-volume': { persistence: { storageClassName: '-' } },
  ephemeral: { persistence: { enabled: false }, rbac: { create: false } },
  // Needs the kinds of the Prometheus operator.
  monitoring: {
    serviceMonitor: { create: true, labels: { release: 'prometheus' } },
    prometheusRule: { create: true, labels: { release: 'prometheus' } },
    dashboard: { create: true },
  },
};
