/**
 * The main job, end to end, on any API server: the program as a process, kwatchman's own config.toml, a Slack receiver.
 * The embedded server and the real control plane run the same tests.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startReceiver, type CapturedReceiver } from '../../src/testing/receiver.ts';
import { deployment, TestCluster, type ClusterAccess } from './cluster.ts';
import { Program, type ProgramOptions, Workdir } from './program.ts';

/** The example from kwatchman's own documentation, with the test's Slack receiver. */
export function kwatchmanConfig(
  webhookURL: string,
  kinds = ['deployment', 'service', 'statefulset', 'daemonset', 'ingress'],
): string {
  return `${kinds.map((kind) => `[[resource]]\nkind = "${kind}"\n`).join('')}
[[handler]]
name = "diff"
[[handler]]
name = "log"
[[handler]]
name        = "slack"
clusterName = "myClusterName"
webhookURL  = "${webhookURL}"
messagesPerSecond = 0
`;
}

export interface SlackAttachment {
  readonly title: string;
  readonly fallback: string;
  readonly text: string;
  readonly color: string;
  readonly footer?: string;
}

/** The only attachment of each message, in order of arrival. */
export function messages(slack: CapturedReceiver): SlackAttachment[] {
  return slack.requests.map(({ body }) => {
    const { attachments } = JSON.parse(body) as { attachments: SlackAttachment[] };
    const [attachment] = attachments;
    assert.ok(attachment, 'a message has one attachment');
    return attachment;
  });
}

/** Starts the program as these tests do. */
export function startProgram(workdir: Workdir, access: ClusterAccess, options: StartOptions = {}): Program {
  const { state = workdir.file('state'), ...others } = options;
  const args = ['run', '-c', workdir.file('config.toml'), '-k', access.kubeconfig];
  return new Program([...args, '--state', state, '--listen', '127.0.0.1:0'], { cwd: workdir.path, ...others });
}

/** `state`: the folder; default: one in the workdir. */
export type StartOptions = Pick<ProgramOptions, 'env' | 'under'> & { readonly state?: string };

export function mainJob(server: string, access: () => Promise<ClusterAccess>): void {
  describe(`the main job on ${server}`, () => {
    test('a rollout is one message with its diff and its manager; existing objects are silent', async () => {
      await using cluster = new TestCluster(await access());
      await using workdir = await Workdir.make();
      await using slack = await startReceiver(() => ({ body: 'ok' }));
      await cluster.create(deployment('web'));
      await workdir.write('config.toml', kwatchmanConfig(slack.url));
      await using program = startProgram(workdir, cluster.access);
      await program.ready();

      await cluster.patch(
        'Deployment',
        'web',
        { spec: { replicas: 3, template: { spec: { containers: [{ name: 'web', image: 'nginx:1.9.1' }] } } } },
        'kubectl-set',
      );
      await slack.waitFor(1);

      const [message] = messages(slack);
      assert.equal(message?.title, 'UPDATE deployment\ndefault/web');
      assert.equal(message?.fallback, message?.title);
      assert.equal(message?.footer, 'myClusterName');
      assert.match(
        message?.text ?? '',
        /^```image web nginx:1\.7\.9 -> nginx:1\.9\.1, replicas 1 -> 3 · by kubectl-set\n/,
      );
      const exit = await program.stop();
      assert.equal(exit.code, 0);
      assert.equal(slack.requests.length, 1);
      const entries = exit.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { kind: string; key: string; action: string });
      assert.deepEqual(
        entries.map(({ kind, key, action }) => [action, kind, key]),
        [['updated', 'Deployment', 'default/web']],
      );
      await cluster.delete('Deployment', 'web');
    });

    test('created, scaled, deleted: three messages in order', async () => {
      await using cluster = new TestCluster(await access());
      await using workdir = await Workdir.make();
      await using slack = await startReceiver(() => ({ body: 'ok' }));
      await workdir.write('config.toml', kwatchmanConfig(slack.url));
      await using program = startProgram(workdir, cluster.access);
      await program.ready();

      await cluster.create(deployment('api'));
      await cluster.patch('Deployment', 'api', { spec: { replicas: 2 } }, 'kubectl-scale');
      await slack.waitFor(2);
      await cluster.delete('Deployment', 'api');
      await slack.waitFor(3);

      assert.deepEqual(
        messages(slack).map(({ title, color }) => [title, color]),
        [
          ['ADD deployment\ndefault/api', '#1ADA00'],
          ['UPDATE deployment\ndefault/api', '#F39C12'],
          ['DELETE deployment\ndefault/api', '#FF0000'],
        ],
      );
      assert.equal((await program.stop()).code, 0);
    });

    test('changes while it was stopped are reported at the next start, once, and nothing else is', async () => {
      await using cluster = new TestCluster(await access());
      await using workdir = await Workdir.make();
      await using slack = await startReceiver(() => ({ body: 'ok' }));
      await workdir.write('config.toml', kwatchmanConfig(slack.url));
      await cluster.create(deployment('kept'));
      await cluster.create(deployment('gone'));
      {
        await using first = startProgram(workdir, cluster.access);
        await first.ready();
        assert.equal((await first.stop()).code, 0);
      }
      await cluster.patch('Deployment', 'kept', { spec: { replicas: 5 } }, 'kubectl-scale');
      await cluster.delete('Deployment', 'gone');
      await cluster.create(deployment('new'));
      {
        await using second = startProgram(workdir, cluster.access);
        await slack.waitFor(3);
        await second.ready();
        assert.equal((await second.stop()).code, 0);
      }
      assert.deepEqual(
        messages(slack)
          .map(({ title }) => title)
          .toSorted(),
        ['ADD deployment\ndefault/new', 'DELETE deployment\ndefault/gone', 'UPDATE deployment\ndefault/kept'],
      );
      {
        await using third = startProgram(workdir, cluster.access);
        await third.ready();
        assert.equal((await third.stop()).code, 0);
      }
      assert.equal(slack.requests.length, 3, 'a restart with an unchanged cluster sends nothing');
      for (const name of ['kept', 'new']) await cluster.delete('Deployment', name);
    });
  });
}
