/** A cluster on a bad morning, for the page's tests and pictures. */
import { podOf, RUNNING, terminated, waiting, type PodParts } from '../../src/testing/failing-pods.ts';
import { deployment } from '../e2e/cluster.ts';
import type { Respond, Running, World } from '../e2e/world.ts';

/** A configuration with pods, deployments and ConfigMaps, two chains, and a receiver that refuses everything for team-b. */
function storyConfig(slack: string, web = ''): string {
  return `${web}
[cluster]
name = "prod-eu"
[[chain]]
name = "pods"
  [[chain.resource]]
  kind = "pod"
  [[chain.handler]]
  name = "podAlerts"
  [[chain.handler]]
  name = "slack"
  webhookURL = "${slack}/oncall"
[[chain]]
name = "changes"
  [[chain.resource]]
  kind = "deployment"
  [[chain.resource]]
  kind = "configmap"
  [[chain.handler]]
  name = "diff"
  [[chain.handler]]
  name = "slack"
  webhookURL = "${slack}/team"
`;
}

/** A Slack that has lost a channel. */
export const withoutTeam: Respond = ({ path }) =>
  path === '/team' ? { status: 404, body: 'no_service' } : { status: 200, body: 'ok' };

/** Starts the app and plays the story. */
export async function tellStory(world: World, web = ''): Promise<Running> {
  const { server } = world;
  for (const app of ['checkout', 'search', 'invoices', 'mailer']) server.create(inShop(deployment(app)));
  const settings = (timeout: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'checkout', namespace: 'shop' },
    data: { 'app.properties': `pool.size=20\npool.timeout=${timeout}\npool.retries=3\n` },
  });
  server.create(settings('30s'));
  for (const [app, name] of PODS) server.create(podOf({ app, name, containers: [RUNNING] }));
  const running = await world.run({ config: storyConfig(world.slack.url, web), listen: '127.0.0.1:0' });
  server.update(settings('3s'), { manager: 'kubectl-edit' });
  server.update(inShop(deployment('checkout', 'registry.example/checkout:2.4.0', 3)), { manager: 'argocd-controller' });
  server.update(inShop(deployment('search', 'registry.example/search:1.9.2', 3)), { manager: 'helm' });
  await running.app.idle();
  for (const [app, name, failing] of PODS) {
    if (failing !== undefined) server.update(podOf({ app, name, ...failing }), { manager: 'kubelet' });
  }
  return running;
}

/** App, pod, and how it fails, if it does. */
const PODS: readonly (readonly [app: string, name: string, failing?: PodParts])[] = [
  ['checkout', 'checkout-5d4f8c7b9-x2x7k', crashing(7)],
  ['checkout', 'checkout-5d4f8c7b9-9qk4d', crashing(6)],
  ['checkout', 'checkout-5d4f8c7b9-mm8zr', crashing(6)],
  ['search', 'search-5d4f8c7b9-tt4wp', { containers: [waiting('ImagePullBackOff')], phase: 'Pending' }],
  [
    'invoices',
    'invoices-5d4f8c7b9-b8w2n',
    {
      containers: [{ ...RUNNING, restartCount: 1, lastState: terminated(137, 'OOMKilled') }],
    },
  ],
  ['mailer', 'mailer-5d4f8c7b9-hh5rv'],
];

function crashing(restartCount: number): PodParts {
  return { containers: [waiting('CrashLoopBackOff', { restartCount, lastState: terminated(1, 'Error') })] };
}

function inShop<T extends { metadata: object }>(manifest: T): T {
  return { ...manifest, metadata: { ...manifest.metadata, namespace: 'shop' } };
}
