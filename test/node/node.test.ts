/** The image and the chart on a real node: the kubelet runs them, and they report its pods. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startReceiver, type CapturedReceiver } from '../../src/testing/receiver.ts';
import { VERSION } from '../../src/version.ts';
import { CHART, helmOn } from '../cluster/helm.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { follow, REPOSITORY } from '../dockerfile.ts';
import { Workdir } from '../e2e/program.ts';
import { until } from '../until.ts';
import { archived } from './image.ts';
import { HOST, Node } from './node.ts';

const OURS = `docker.io/library/watchchain:${VERSION}`;
const NOTHING_TO_DO = ['-e', 'setInterval(() => {}, 1e9)'];

let node: Node;
let plane: ControlPlane;
let receiver: CapturedReceiver;
/** The receiver's URL for pods. */
let hook: string;

before(async () => {
  await using workdir = await Workdir.make();
  const image = await follow('Dockerfile', { workdir, context: REPOSITORY });
  const idle = { entrypoint: ['/usr/local/bin/node'], cmd: NOTHING_TO_DO };
  const archive = await archived(image, { [OURS]: {}, 'localhost/pause:1': idle }, workdir);
  node = await Node.start();
  ({ plane } = node);
  node.loadImage(archive);
  receiver = await startReceiver();
  const { port } = new URL(receiver.url);
  await node.expose(Number(port));
  hook = `http://${HOST}:${port}`;
});
after(async () => {
  await receiver[Symbol.asyncDispose]();
  await node[Symbol.asyncDispose]();
});

/** The messages received below a path. */
function told(path: string): readonly Record<string, unknown>[] {
  return receiver.requests
    .filter((request) => request.path === path)
    .map(({ body }) => JSON.parse(body) as Record<string, unknown>);
}

function headlines(path: string): readonly string[] {
  return told(path).map(({ headline }) => String(headline));
}

/** Installs the chart in a namespace with the restricted Pod Security Standard; returns its pod. */
async function install(namespace: string, values: object): Promise<string> {
  await plane.apply([
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    },
  ]);
  await node.addVolume(`disk-of-${namespace}`);
  await helmOn(plane, ['install', 'prod', CHART, '--namespace', namespace], values);
  return 'prod-watchchain-0';
}

interface PodStatus {
  readonly metadata: { readonly uid: string; readonly deletionTimestamp?: string };
  readonly status: {
    readonly containerStatuses?: readonly {
      readonly ready: boolean;
      readonly restartCount: number;
      readonly state: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
    }[];
  };
}

async function podOf(namespace: string, name: string): Promise<PodStatus | undefined> {
  const found = await plane.kubectl('get', 'pod', name, '-n', namespace, '-o', 'json', '--ignore-not-found');
  return found === '' ? undefined : (JSON.parse(found) as PodStatus);
}

async function ready(namespace: string, name: string, other?: string): Promise<string> {
  let uid = '';
  await until(`pod ${namespace}/${name} is ready`, async () => {
    const pod = await podOf(namespace, name);
    uid = pod?.metadata.uid ?? '';
    return pod?.status.containerStatuses?.[0]?.ready === true && uid !== other;
  });
  return uid;
}

const CHAIN = (path: string, kind: string, handlers: readonly object[] = []) => ({
  resource: [{ kind }],
  handler: [...handlers, { name: 'webhook', url: `${hook}${path}` }],
});

describe('on a real node', () => {
  test('the pod of the chart runs under the restricted standard, delivers, and its replacement goes on where it was', async () => {
    const pod = await install('one', { config: CHAIN('/one', 'configmap') });
    const first = await ready('one', pod);
    await plane.kubectl('create', 'configmap', 'before', '-n', 'default');
    await until('the first message', () => told('/one').length === 1);
    await helmOn(plane, ['test', 'prod', '--namespace', 'one']);
    await plane.kubectl('delete', 'pod', pod, '-n', 'one', '--wait=false');
    await plane.kubectl('create', 'configmap', 'meanwhile', '-n', 'default');
    await ready('one', pod, first);
    await plane.kubectl('create', 'configmap', 'after', '-n', 'default');
    await until('the others', () => told('/one').length >= 3);
    assert.deepEqual(
      headlines('/one').filter((line) => line.includes('default/')),
      ['before', 'meanwhile', 'after'].map((name) => `configmap default/${name} added`),
    );
    const log = await plane.kubectl('logs', pod, '-n', 'one');
    for (const line of log.trim().split('\n')) assert.equal(typeof JSON.parse(line), 'object', line);
  });

  test('it runs as an arbitrary user with its fsGroup, as on OpenShift', async () => {
    const user = 1_000_650_000;
    const podSecurityContext = { runAsUser: user, runAsGroup: 0, fsGroup: user };
    const pod = await install('another', { config: CHAIN('/another', 'configmap'), podSecurityContext });
    await ready('another', pod);
    await plane.kubectl('create', 'configmap', 'seen', '-n', 'default');
    await until('the message', () => headlines('/another').includes('configmap default/seen added'));
  });

  test('a missing Secret is named in the status of the pod', async () => {
    const pod = await install('lacking', { slack: { existingSecret: 'not-there' } });
    let said: string | undefined;
    await until('it waits', async () => {
      const waiting = (await podOf('lacking', pod))?.status.containerStatuses?.[0]?.state.waiting;
      said = waiting?.message;
      return waiting?.reason === 'CreateContainerConfigError';
    });
    assert.equal(said, 'secret "not-there" not found');
  });

  test('a crash loop is one alert with its log, across restarts, and one more when it is over', async () => {
    const pod = await install('alerts', {
      config: CHAIN('/alerts', 'pod', [{ name: 'podAlerts', holdDown: '5s', remindAfter: '0s' }]),
    });
    await ready('alerts', pod);
    await plane.apply([deploymentOf(`console.error('no route to db'); setTimeout(() => process.exit(3), 1_000)`)]);
    await until('the alert', () => told('/alerts').length === 1, 120_000);
    const [first] = told('/alerts') as [{ alert: { reason: string; exitCode: number; log: string } }];
    const { reason, exitCode, log } = first.alert;
    assert.deepEqual([reason, exitCode, log.trim()], ['CrashLoopBackOff', 3, 'no route to db']);
    const turns = async () => {
      const list = await plane.kubectl('get', 'pods', '-n', 'default', '-l', 'app=looping', '-o', 'json');
      const [looping] = (JSON.parse(list) as { items: readonly PodStatus[] }).items;
      return looping?.status.containerStatuses?.[0]?.restartCount ?? 0;
    };
    // Between two restarts the kubelet reports it as terminated, for longer than the hold-down.
    await until('the fourth turn', async () => (await turns()) >= 4, 240_000);
    assert.deepEqual(headlines('/alerts').length, 1);
    await plane.apply([deploymentOf('setInterval(() => {}, 1e9)')]);
    await until('the end', () => told('/alerts').length === 2, 120_000);
    assert.match(headlines('/alerts')[1] ?? '', /^resolved after .*: CrashLoopBackOff .*deployment default\/looping/);
  });
});

function deploymentOf(script: string): object {
  const labels = { app: 'looping' };
  const container = { name: 'app', image: OURS, command: ['/usr/local/bin/node', '-e', script] };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'looping', namespace: 'default' },
    spec: {
      selector: { matchLabels: labels },
      strategy: { type: 'Recreate' },
      template: { metadata: { labels }, spec: { containers: [container], terminationGracePeriodSeconds: 1 } },
    },
  };
}
