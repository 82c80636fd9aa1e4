/**
 * The yardstick: `client-node.ts KUBECONFIG RESOURCE [URL]`: @kubernetes/client-node's informer, which counts updates. With a
 * URL, each update is told there by one POST, and counts when it was answered.
 */
import {
  AppsV1Api,
  CoreV1Api,
  KubeConfig,
  makeInformer,
  type KubernetesListObject,
  type KubernetesObject,
} from '@kubernetes/client-node';
import { request } from 'undici';
import { Report } from './report.ts';

const [kubeconfig = '', resource = '', url] = process.argv.slice(2);
const config = new KubeConfig();
config.loadFromFile(kubeconfig);
// Without it client-node refuses plain HTTP.
config.clusters = config.clusters.map((cluster) => ({ ...cluster, skipTLSVerify: true }));
const list: Record<string, () => Promise<KubernetesListObject<KubernetesObject>>> = {
  pods: () => config.makeApiClient(CoreV1Api).listPodForAllNamespaces(),
  deployments: () => config.makeApiClient(AppsV1Api).listDeploymentForAllNamespaces(),
};
const paths: Record<string, string> = { pods: '/api/v1/pods', deployments: '/apis/apps/v1/deployments' };

const report = new Report();
const informer = makeInformer(
  config,
  paths[resource] ?? '',
  list[resource] ?? (() => Promise.reject(new Error(resource))),
);
informer.on('update', (object) => {
  if (url === undefined) report.done();
  else void post(url, object).then(() => report.done());
});
informer.on('error', (error) => {
  throw error;
});
await informer.start();
report.ready();

async function post(url: string, { kind, metadata }: KubernetesObject): Promise<void> {
  const text = `${kind} ${metadata?.namespace}/${metadata?.name} updated`;
  const { body } = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text }),
  });
  await body.dump();
}
