/** A test's actions on a cluster, over the API that the embedded and the real server share. */
import { Agent, request } from 'undici';
import type { Manifest } from '../../src/change.ts';

export interface ClusterAccess {
  /** `https://127.0.0.1:PORT` */
  readonly url: string;
  readonly kubeconfig: string;
  readonly token?: string;
  /** PEM */
  readonly ca?: string;
}

/** The API path of each kind that the tests write. */
const PATHS: Readonly<Record<string, { readonly api: string; readonly resource: string }>> = {
  Deployment: { api: 'apis/apps/v1', resource: 'deployments' },
  StatefulSet: { api: 'apis/apps/v1', resource: 'statefulsets' },
  DaemonSet: { api: 'apis/apps/v1', resource: 'daemonsets' },
  Service: { api: 'api/v1', resource: 'services' },
  Ingress: { api: 'apis/networking.k8s.io/v1', resource: 'ingresses' },
  ConfigMap: { api: 'api/v1', resource: 'configmaps' },
  Secret: { api: 'api/v1', resource: 'secrets' },
};

export class TestCluster implements AsyncDisposable {
  readonly access: ClusterAccess;
  readonly #agent: Agent;

  constructor(access: ClusterAccess) {
    this.access = access;
    this.#agent = new Agent(access.ca === undefined ? {} : { connect: { ca: access.ca } });
  }

  create(manifest: object, manager = 'kubectl-create'): Promise<Manifest> {
    const { kind, namespace } = identify(manifest);
    return this.#send('POST', `${collection(kind, namespace)}?fieldManager=${manager}`, manifest);
  }

  /** JSON merge patch, like `kubectl patch --type merge`. */
  patch(
    kind: string,
    name: string,
    patch: object,
    manager = 'kubectl-patch',
    namespace = 'default',
  ): Promise<Manifest> {
    const path = `${collection(kind, namespace)}/${name}?fieldManager=${manager}`;
    return this.#send('PATCH', path, patch, 'application/merge-patch+json');
  }

  delete(kind: string, name: string, namespace = 'default'): Promise<Manifest> {
    return this.#send('DELETE', `${collection(kind, namespace)}/${name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.close();
  }

  async #send(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    body?: object,
    type = 'application/json',
  ): Promise<Manifest> {
    const { token, url } = this.access;
    const response = await request(`${url}/${path}`, {
      method,
      dispatcher: this.#agent,
      headers: { 'content-type': type, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${response.statusCode} ${text}`);
    return JSON.parse(text) as Manifest;
  }
}

function identify(manifest: object): { kind: string; namespace: string } {
  const { kind, metadata } = manifest as Manifest;
  return { kind: kind ?? '', namespace: metadata.namespace ?? 'default' };
}

function collection(kind: string, namespace: string): string {
  const endpoint = PATHS[kind];
  if (endpoint === undefined) throw new Error(`The test cluster does not know where ${kind} lives`);
  return `${endpoint.api}/namespaces/${namespace}/${endpoint.resource}`;
}

/** A deployment like one from `kubectl create deployment`. */
export function deployment(
  name: string,
  image = 'nginx:1.7.9',
  replicas = 1,
  labels: Record<string, string> = { app: name },
) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default', labels },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'web', image }] },
      },
    },
  };
}
