/** chart/README.md: how to install, and every value with its comment in values.yaml. */
import { isCollection, isMap, isPair, isScalar, parseDocument, type Node } from 'yaml';
import { table } from '../src/text/markdown.ts';

const INTRO = `# watchchain's chart

For Helm 3.17 and later, and Helm 4. \`make docs\` writes this page.

\`\`\`sh
helm install watchchain ./chart -n monitoring --create-namespace --values values.yaml
helm test watchchain -n monitoring   # asks the cluster whether each kind is served and may be watched
\`\`\`

With \`helm template\` and \`kubectl apply\`, use \`--skip-tests\`: otherwise the pod of \`helm test\` is created, too, and the next apply fails, as a pod cannot be changed.

## The configuration

Give one of these. Without any, the chart uses [files/config.toml](files/config.toml).

| value | what it is |
| --- | --- |
| \`config\`, a text | config.toml, mounted unchanged. If it does not parse, rendering fails and names the line |
| \`config\`, tables | the same as YAML, with the same keys |
| \`config\` with \`route\` and \`receivers\` | kubernetes-event-exporter's file, mounted unchanged, from a Secret |
| \`kwatchman.config\`, \`kwatchman.filter_by\` | the values of kwatchman's chart; the file is in a Secret |
| \`slack.token\` and \`slack.channel\`, or \`slack.webhook\`; \`watchReasons\` | the values of giantswarm/event-exporter-app, with its [rules for cluster upgrades](files/giant-swarm.yaml) |

The chart computes the roles from the configuration by the rules of \`watchchain rbac\`: list and watch of watched kinds, one Role per namespace if namespaces are named, and never a Secret unless the configuration asks for one. Name kinds that the chart does not know once in \`kinds\`.

Secrets: \`slack.webhookURL\` and \`web.token\` go into a Secret, or \`existingSecret\` names one of yours. For any other secret, set a variable in \`extraEnv\`, or name a whole Secret in \`extraEnvFrom\`, and use \`\${VAR}\` in the configuration. If a Secret or its key is missing, the pod waits in \`CreateContainerConfigError\`, and \`kubectl describe pod\` names it; an unset variable prevents the start, and the message names the line that uses it.

## Files: a CA, a certificate, your own handler

\`\`\`yaml
extraVolumes:
- name: receiver
  secret: { secretName: receiver }        # its keys: ca.crt, token
extraVolumeMounts:
- { name: receiver, mountPath: /etc/secret, readOnly: true }
\`\`\`

In the configuration, refer to them with \`tls = { caFile = "/etc/secret/ca.crt" }\` and \`\${file:/etc/secret/token}\`. For a handler from a ConfigMap mounted there, write \`name = "/etc/secret/page-me.ts"\`. The program may read that folder; to allow another, set \`NODE_OPTIONS=--allow-fs-read=/certs/\` in \`extraEnv\`.

## What replaces the pod

A changed configuration usually does not: the program follows the mounted file, which the kubelet updates within about a minute. A change to the sections \`cluster\`, \`state\`, \`web\`, \`lookup\`, \`tracing\`, \`lease\` or \`log\` does, and so does a change to a Secret that the chart creates, or to any value outside the configuration. The state stays, because it is on the StatefulSet's claim. After a change to your own Secret, run \`kubectl rollout restart\`.

## OpenShift

OpenShift picks users and groups itself, so the chart sets none if the cluster serves \`security.openshift.io/v1\`, or if \`openshift\` is true. Set it for \`helm template\`, which asks no cluster.

## Values

Any other value is refused, with its path, and so is a section or a switch without a value.

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
    // The comment of a first key is before its map.
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
