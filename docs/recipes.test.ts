/** Each recipe of docs/recipes.md reports what it promises, and nothing else. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Manifest } from '../src/change.ts';
import type { ApiServer } from '../src/testing/api-server.ts';
import { FakeClock } from '../src/testing/fake-clock.ts';
import type { CapturedRequest, ReceiverAnswer } from '../src/testing/receiver.ts';
import { World, type Running } from '../test/e2e/world.ts';
import { until } from '../test/until.ts';
import { readRecipes } from './page-recipes.ts';
import {
  autoscaler,
  deployment,
  event,
  HELM_RELEASES,
  lock,
  node,
  object,
  owned,
  release,
  revision,
  rollout,
} from './recipe-objects.ts';

const RECIPES = await readRecipes('recipes.md');

interface Scene {
  readonly world: World;
  readonly running: Running;
}

type LaterScene = Scene & { readonly clock: FakeClock };

interface Trial {
  readonly existing?: readonly Manifest[];
  readonly act: (server: ApiServer) => void;
  /** What happens later, by this clock instead of the system's. */
  readonly later?: (scene: LaterScene) => Promise<void>;
  /** All messages, in their order. */
  readonly expected: readonly RegExp[];
  /** The objects are handled side by side: `expected` is in alphabetical order. */
  readonly inAnyOrder?: true;
  readonly also?: (running: Running) => Promise<void>;
}

async function passesUntil(what: string, stepMs: number, isDone: () => boolean, { running, clock }: LaterScene) {
  await until(what, async () => {
    await clock.advance(stepMs);
    // Or a request under way would miss its deadline, and be sent again.
    await running.app.idle();
    return isDone();
  });
}

const TRIALS: Readonly<Record<string, Trial>> = {
  'Only deletions': {
    existing: [object('Service', 'web', 'shop')],
    act(server) {
      server.create(object('Deployment', 'web', 'shop'));
      server.delete('Service', 'web', 'shop');
    },
    expected: [/^DELETE service\nshop\/web$/],
  },
  'All namespaces but some': {
    act(server) {
      for (const namespace of ['kube-system', 'argocd', 'shop'])
        server.create(object('ConfigMap', 'settings', namespace));
    },
    expected: [/^ADD configmap\nshop\/settings$/],
  },
  'ConfigMaps without leader election': {
    existing: [lock('a', '1')],
    act(server) {
      server.update(lock('b', '1'));
      server.update(lock('c', '2'));
    },
    expected: [/^```data\.settings 1 -> 2 · by kubectl-client-side-apply\n/],
  },
  'Changes made beside GitOps': {
    existing: [deployment('web:1', 1)],
    act(server) {
      server.update(deployment('web:2', 1), { manager: 'argocd-controller' });
      server.update(deployment('web:2', 5), { manager: 'kubectl-edit' });
      for (const replicas of [7, 8])
        server.update(deployment('web:2', replicas), { manager: 'kube-controller-manager', subresource: 'scale' });
    },
    expected: [/^```replicas 1 -> 5 · by kubectl-edit\n/],
  },
  'Changes with the user who made them': {
    existing: [deployment('web:1', 1)],
    act(server) {
      const by = (user: string, manifest: Manifest): Manifest => ({
        ...manifest,
        metadata: { ...manifest.metadata, annotations: { 'example.com/changed-by': user } },
      });
      server.update(by('alice', deployment('web:2', 1)), { manager: 'kubectl-set' });
      server.update(by('bob', deployment('web:2', 1)), { manager: 'kubectl-annotate' });
      server.update(by('bob', deployment('web:2', 5)), { manager: 'kubectl', subresource: 'scale' });
    },
    expected: [
      /^deployment shop\/web updated: image web web:1 -> web:2 · alice\nby kubectl-set\n/,
      /^deployment shop\/web updated: replicas 1 -> 5\nby kubectl\n/,
    ],
  },
  'Rollouts that are complete or stuck': {
    existing: [rollout('web:1', 1, 'NewReplicaSetAvailable')],
    act(server) {
      server.update(rollout('web:1', 3, 'NewReplicaSetAvailable'));
      server.update(rollout('web:2', 3, 'ReplicaSetUpdated'));
      server.update(rollout('web:2', 3, 'ProgressDeadlineExceeded', 'False'));
      server.update(rollout('web:3', 3, 'ReplicaSetUpdated'));
      server.update(rollout('web:3', 3, 'NewReplicaSetAvailable'));
    },
    expected: [
      /^shop\/web is stuck <!here>: web:2\nReplicaSet "web-1": ProgressDeadlineExceeded$/,
      /^shop\/web is rolled out: web:3\nReplicaSet "web-1": NewReplicaSetAvailable$/,
    ],
  },
  'One message per rollout, kept up to date': {
    existing: [revision(1, 'web:1', { observed: 1, reason: 'NewReplicaSetAvailable' })],
    act(server) {
      server.update(revision(1, 'web:2', { observed: 1, reason: 'NewReplicaSetAvailable' }));
      // The embedded server counts a new annotation as a generation, too.
      server.update(revision(2, 'web:2', { observed: 3, reason: 'NewReplicaSetCreated' }));
      server.update(revision(2, 'web:2', { observed: 3, reason: 'NewReplicaSetCreated', replicas: 5 }));
      server.update(revision(2, 'web:2', { observed: 4, reason: 'NewReplicaSetAvailable', replicas: 5 }));
      server.update(revision(2, 'web:1', { observed: 4, reason: 'NewReplicaSetAvailable', replicas: 5 }));
      server.update(revision(3, 'web:1', { observed: 4, reason: 'NewReplicaSetAvailable', replicas: 5 }));
      server.update(revision(3, 'web:1', { observed: 6, reason: 'ReplicaSetUpdated', replicas: 5 }));
      const stuck = { observed: 6, reason: 'ProgressDeadlineExceeded', replicas: 5, status: 'False' };
      server.update(revision(3, 'web:1', stuck));
    },
    expected: [
      /^:hourglass_flowing_sand: shop\/web: web:2$/,
      /^1\.0 is now :white_check_mark: shop\/web: web:2$/,
      /^:hourglass_flowing_sand: shop\/web: web:1$/,
      /^3\.0 is now :hourglass_flowing_sand: shop\/web: web:1$/,
      /^3\.0 is now :x: shop\/web: web:1$/,
    ],
  },
  'A custom resource that is not ready': {
    existing: [release('True', 'upgraded')],
    act(server) {
      server.update(release('Unknown', 'in progress'));
      server.update(release('False', 'upgrade failed'));
      server.update(release('False', 'upgrade failed again'));
      server.update(release('True', 'upgraded'));
    },
    expected: [/Ready status Unknown -> False.*\n.*\n?.*in progress -> upgrade failed/],
  },
  'A custom resource that is not ready for five minutes': {
    existing: [release('True', 'upgraded')],
    act(server) {
      server.update(release('Unknown', 'in progress'));
      server.update(release('True', 'upgraded again'));
      server.update(release('Unknown', 'in progress again'));
      server.update(release('False', 'upgrade failed'));
    },
    async later(trial) {
      const { world, running } = trial;
      const pass = (what: string, isDone: () => boolean) => passesUntil(what, 5_000, isDone, trial);
      await pass('the wait goes on', () => /waits until [^"]*\\"False\\"/.test(running.serviceLog()));
      await pass('it is reported', () => world.slack.requests.length === 1);
      world.server.update(release('False', 'upgrade failed for good'));
      await pass('that is halted', () => running.serviceLog().includes('already reported'));
      world.server.update(release('True', 'fixed'));
      await pass('the end is reported', () => world.slack.requests.length === 2);
    },
    expected: [
      /Ready status True -> False.* · for 5m( \d+s)? now\n.*\n?.*upgraded again -> upgrade failed/,
      /Ready status False -> True.* · over after 5m( \d+s)?\n.*\n?.*upgrade failed for good -> fixed/,
    ],
  },
  'An autoscaler at its maximum': {
    existing: [autoscaler('DesiredWithinRange', 5)],
    act(server) {
      server.update(autoscaler('ScaleUpLimit', 5));
      server.update(autoscaler('TooManyReplicas', 5));
      server.update(autoscaler('TooManyReplicas', 6));
      server.update(autoscaler('DesiredWithinRange', 6));
    },
    expected: [/^shop\/web needs more than its maximum of 5 replicas$/],
  },
  'Nodes that are cordoned, tainted or under pressure': {
    existing: [node(false, 'False', '1')],
    act(server) {
      server.update(node(false, 'False', '2'));
      server.update(node(true, 'False', '2'));
      server.update(node(true, 'True', '3'));
    },
    expected: [/spec\.unschedulable: \(none\) -> true/, /DiskPressure\]\.status: False -> True/],
  },
  'Pods, but not those of jobs': {
    act(server) {
      server.create(
        object('Pod', 'job-1', 'shop', { metadata: { labels: { 'batch.kubernetes.io/job-name': 'job' } } }),
      );
      server.create(object('Pod', 'web-1', 'shop', { metadata: { labels: { app: 'web' } } }));
    },
    expected: [/^ADD pod\nshop\/web-1$/],
  },
  'One message per deployment and reason of an Event in four hours': {
    existing: [
      object('Deployment', 'web', 'shop', { metadata: { uid: 'web' } }),
      { ...owned('ReplicaSet', 'web-a', 'Deployment', 'web'), apiVersion: 'apps/v1' },
      ...['web-1', 'web-2', 'web-3'].map((pod) => owned('Pod', pod, 'ReplicaSet', 'web-a')),
    ],
    act(server) {
      for (const pod of ['web-1', 'web-2', 'web-3', 'other']) {
        server.create(event(`${pod}.a`, 'BackOff', 1, pod));
        server.update(event(`${pod}.a`, 'BackOff', 2, pod));
      }
      server.create(event('web-1.b', 'Unhealthy', 1));
    },
    expected: [
      /^```Warning BackOff pod shop\/other```$/,
      /^```Warning BackOff pod shop\/web-[123]```$/,
      /^```Warning Unhealthy pod shop\/web-1```$/,
    ],
    inAnyOrder: true,
  },
  'A summary every morning': {
    existing: [deployment('web:1', 1), object('Deployment', 'api', 'shop')],
    act(server) {
      server.update(deployment('web:2', 1));
      server.update(deployment('web:2', 5));
      server.delete('Deployment', 'api', 'shop');
    },
    async later(trial) {
      const { world, running, clock } = trial;
      // 07:59 in Zurich.
      await clock.advance(7 * 3_600_000 - 60_000);
      await running.app.idle();
      assert.equal(world.slack.requests.length, 0);
      await passesUntil('it is sent', 30_000, () => world.slack.requests.length > 0, trial);
    },
    expected: [
      /^```image web web:1 -> web:2, replicas 1 -> 5 · by kubectl-client-side-apply · several changes seen as one\n/,
    ],
  },
  'Events as metrics': {
    act(server) {
      server.create(event('a', 'SystemOOM', 1));
      server.update(event('a', 'SystemOOM', 2));
      server.create(event('b', 'BackOff', 1));
      server.create(event('c', 'Pulled', 1));
    },
    expected: [],
    async also({ app }) {
      await until('what is counted is 2, 1 and 1', async () => {
        const metrics = await (await fetch(`http://${app.listening}/metrics`)).text();
        const is = (reason: string, n: number) =>
          metrics.includes(`kubernetes_events_total{type="Warning",reason="${reason}",namespace="shop"} ${n}\n`);
        return is('SystemOOM', 2) && is('BackOff', 1) && is('Pulled', 1);
      });
    },
  },
};

describe('docs/recipes.md', () => {
  test('each recipe is tested', () => {
    assert.deepEqual(
      RECIPES.map(({ name }) => name),
      Object.keys(TRIALS),
    );
  });

  for (const { name, toml } of RECIPES) {
    test(`${name}: reports what the recipe promises, and nothing else`, async () => {
      const trial = TRIALS[name];
      assert.ok(trial !== undefined);
      await using world = await World.start(answerOf);
      world.server.addResource(HELM_RELEASES);
      for (const manifest of trial.existing ?? []) world.server.create(manifest);
      const config = toml
        .replace('"${SLACK_WEBHOOK_URL}"', `"${world.slack.url}/hook"\nmessagesPerSecond = 0`)
        .replace('"${SLACK_TOKEN}"', `"xoxb-1"\napiURL = "${world.slack.url}/api"\nmessagesPerSecond = 0`);
      const clock = trial.later === undefined ? undefined : new FakeClock();
      await using running = await world.run({ config, listen: '127.0.0.1:0', ...(clock && { clock }) });
      trial.act(world.server);
      if (clock !== undefined) await trial.later?.({ world, running, clock });
      await world.slack.waitFor(trial.expected.length);
      await trial.also?.(running);
      await running.app.idle();
      const sent = world.slack.requests.map(textOf);
      const texts = trial.inAnyOrder === true ? sent.toSorted() : sent;
      assert.equal(texts.length, trial.expected.length, texts.join('\n'));
      for (const [n, expected] of trial.expected.entries()) assert.match(texts[n] ?? '', expected);
    });
  }
});

/** The text of the message or its attachment; without one, the title. Of a message that is rewritten, also which one it is. */
function textOf({ path, body }: CapturedRequest): string {
  const {
    ts,
    text,
    attachments: [first] = [],
  } = JSON.parse(body) as {
    ts?: string;
    text?: string;
    attachments?: { title: string; text: string }[];
  };
  const shown = text ?? (first?.text || first?.title) ?? '';
  return path === '/api/chat.update' ? `${ts} is now ${shown}` : shown;
}

/** A bot learns which message it has posted: its number. */
function answerOf({ path }: CapturedRequest, n: number): ReceiverAnswer {
  return { body: path.startsWith('/api/') ? JSON.stringify({ ok: true, channel: 'C1', ts: `${n}.0` }) : 'ok' };
}
