/**
 * The two kinds of the Prometheus operator that the chart creates, with the fields it sets; names and types are from the
 * operator's own CustomResourceDefinitions (monitoring.coreos.com/v1).
 */
const STRING = { type: 'string' };
const STRINGS = { type: 'object', additionalProperties: STRING };

const object = (properties: object, ...required: readonly string[]) => ({ type: 'object', properties, required });
const list = (items: object) => ({ type: 'array', items });

const SERVICE_MONITOR = object(
  {
    selector: object({ matchLabels: STRINGS }),
    endpoints: list(
      object({ port: STRING, path: STRING, interval: { ...STRING, pattern: '^([0-9]+(ms|[smhdwy]))+$' } }),
    ),
  },
  'selector',
  'endpoints',
);

const RULE = object(
  {
    alert: STRING,
    expr: { anyOf: [{ type: 'integer' }, STRING], 'x-kubernetes-int-or-string': true },
    for: { ...STRING, pattern: '^([0-9]+(ms|[smhdwy]))+$' },
    labels: STRINGS,
    annotations: STRINGS,
  },
  'expr',
);
const PROMETHEUS_RULE = object({
  groups: list(object({ name: { ...STRING, minLength: 1 }, rules: list(RULE) }, 'name')),
});

export const PROMETHEUS_OPERATOR = [
  definition('ServiceMonitor', SERVICE_MONITOR),
  definition('PrometheusRule', PROMETHEUS_RULE),
];

function definition(kind: string, spec: object): object {
  const [group, singular] = ['monitoring.coreos.com', kind.toLowerCase()];
  const schema = { openAPIV3Schema: object({ spec }, 'spec') };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${singular}s.${group}` },
    spec: {
      group,
      names: { kind, singular, plural: `${singular}s`, listKind: `${kind}List` },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  };
}
