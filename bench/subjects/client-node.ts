/**
 * The yardstick: `client-node.ts KUBECONFIG RESOURCE [URL]`: @kubernetes/client-node's informer, which counts updates, and new
 * Events. With a URL, each is sent there by one POST, and counts when that is answered.
 */
import {
  AppsV1Api,
  CoreV1Api,
  type CoreV1Event,
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
  events: () => config.makeApiClient(CoreV1Api).listEventForAllNamespaces(),
};
const paths: Record<string, string> = {
  pods: '/api/v1/pods',
  deployments: '/apis/apps/v1/deployments',
  events: '/api/v1/events',
};

const report = new Report();
let last = Promise.resolve();
const informer = makeInformer(
  config,
  paths[resource] ?? '',
  list[resource] ?? (() => Promise.reject(new Error(resource))),
);
informer.on(resource === 'events' ? 'add' : 'update', (object) => {
  if (url === undefined) report.done();
  // Sends Events of a burst one after the other, like a loop: all at once they would open a connection each.
  else if (resource === 'events') last = last.then(() => post(url, object)).then(() => report.done());
  else void post(url, object).then(() => report.done());
});
informer.on('error', (error) => {
  throw error;
});
await informer.start();
report.ready();

async function post(url: string, object: KubernetesObject): Promise<void> {
  const { body } = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(messageOf(object)),
  });
  await body.dump();
}

/** The same content as our message. */
function messageOf(object: KubernetesObject): object {
  const { kind, metadata } = object;
  if (resource !== 'events') return { text: `${kind} ${metadata?.namespace}/${metadata?.name} updated` };
  const { reason, message, involvedObject, count } = object as CoreV1Event;
  return { uid: metadata?.uid, text: `${reason}: ${message}`, pod: involvedObject.name, count };
}
