/** chart/README.md: how to install, and every value with its comment in values.yaml. */
import { isCollection, isMap, isPair, isScalar, parseDocument, type Node } from 'yaml';
import { table } from '../src/markdown.ts';

const INTRO = `# watchchain's chart

For Helm 3.17 and later, and 4. \`make docs\` writes this page.

\`\`\`sh
helm install watchchain ./chart -n monitoring --create-namespace --values values.yaml
helm test watchchain -n monitoring   # asks the cluster whether each kind is served and may be watched
\`\`\`

## The configuration

One of these; what is not given at all is [files/config.toml](files/config.toml).

| value | what it is |
| --- | --- |
| \`config\`, a text | config.toml, mounted as it is. One that does not parse stops the rendering, with its line |
| \`config\`, tables | the same as YAML, in the same words |
| \`config\` with \`route\` and \`receivers\` | the file of kubernetes-event-exporter, mounted as it is, in a Secret |
| \`kwatchman.config\`, \`kwatchman.filter_by\` | the values of kwatchman's chart; the file is in a Secret |
| \`slack.token\` and \`slack.channel\`, or \`slack.webhook\`; \`watchReasons\` | the values of giantswarm/event-exporter-app: its rules for upgrades of clusters, [here](files/giant-swarm.yaml) |

The roles are computed from it by the rules of \`watchchain rbac\`: list and watch of what is watched, a Role in each namespace where namespaces are named, and never a Secret unless one is asked for. Kinds that the chart does not know are named once in \`kinds\`.

Secrets: \`slack.webhookURL\` and \`web.token\` go into a Secret; \`existingSecret\` names one of yours. Everything else is a variable of \`extraEnv\` and \`\${VAR}\` in the configuration. Where a Secret or its key is missing, the pod waits in \`CreateContainerConfigError\`, and \`kubectl describe pod\` names it; a variable that is not set stops the start, with the line that asks for it.

## Files: a CA, a certificate, a handler of your own

\`\`\`yaml
extraVolumes:
- name: receiver
  secret: { secretName: receiver }        # its keys: ca.crt, token
extraVolumeMounts:
- { name: receiver, mountPath: /etc/secret, readOnly: true }
\`\`\`

In the configuration these are \`tls = { caFile = "/etc/secret/ca.crt" }\` and \`\${file:/etc/secret/token}\`; a handler from a ConfigMap that is mounted so is \`name = "/etc/secret/page-me.ts"\`. The program may read that folder; for another, \`NODE_OPTIONS=--allow-fs-read=/certs/\` is a variable of \`extraEnv\`.

## What makes a new pod

A changed configuration does not: the program follows the mounted file, which the kubelet brings within about a minute. A change of the sections \`cluster\`, \`state\`, \`web\`, \`lookup\`, \`tracing\`, \`lease\` or \`log\` does, and so does one of a Secret that the chart makes, and of every value that is not the configuration. The state is on the claim of the StatefulSet and stays. A Secret of yours that changes needs \`kubectl rollout restart\`.

## OpenShift

It picks users and groups itself, so that none is named where the cluster serves \`security.openshift.io/v1\`, or where \`openshift\` is true, as for \`helm template\`, which asks no cluster.

## Values

Anything else is refused, with its path, and so is a section or a switch of which only the name is left.

`;

/** @param values the text of values.yaml */
export function chartPage(values: string): string {
  const rows = rowsOf(parseDocument(values).contents, '');
  return `${INTRO}${table(['value', 'default', 'what'], rows)}\n`;
}

/** A row for each value, and for each group of values that has a comment. */
function rowsOf(node: unknown, path: string): readonly (readonly string[])[] {
  if (!isMap(node)) return [];
  return node.items.flatMap((pair, index) => {
    if (!isPair(pair) || !isScalar(pair.key)) return [];
    const { key } = pair;
    const name = path === '' ? String(key.value) : `${path}.${String(key.value)}`;
    // The comment of a first key stands before its map.
    const comment = key.commentBefore ?? (index === 0 ? node.commentBefore : undefined) ?? '';
    const text = comment
      .replaceAll(/\s*\n\s*/g, ' ')
      .replaceAll('|', String.raw`\|`)
      .trim();
    const value = pair.value as Node | null;
    if (isMap(value) && value.flow !== true && value.items.length > 0)
      return [...(text === '' ? [] : [[`\`${name}\``, '', text]]), ...rowsOf(value, name)];
    return [[`\`${name}\``, defaultOf(value), text]];
  });
}

function defaultOf(value: Node | null): string {
  const plain: unknown = isCollection(value) || isScalar(value) ? value.toJSON() : null;
  if (plain === null || plain === '') return '';
  return `\`${typeof plain === 'string' ? plain : JSON.stringify(plain)}\``;
}
