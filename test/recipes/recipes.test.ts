/**
 * The two documented recipes of the Giant Swarm app, in their own form and in our TOML: the requests are those observed from
 * kubernetes-event-exporter, except for a Content-Type that it sends twice.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startApiServer } from '../../src/testing/api-server.ts';
import { startReceiver } from '../../src/testing/receiver.ts';
import { Program, Workdir } from '../e2e/program.ts';
import { SEED_EVENT } from '../event-exporter/exporter.ts';

const RECIPES = [
  {
    recipe: 'slack-webhook',
    path: '/slack',
    headers: { 'content-type': 'application/json', 'content-length': '35' },
    body: '{"text":"Your Slack message here."}',
  },
  {
    recipe: 'grafana-annotation',
    path: '/api/annotations/graphite',
    headers: {
      accept: 'application/json',
      authorization: 'Bearer TOKEN',
      'content-type': 'application/json',
      'content-length': '241',
    },
    body: '{"data":"Manually added event for testing. for Cluster default/7b3kj on INSTALL reported by ","tags":["event","TEAM","ClusterIsUpdating","Normal","Cluster","7b3kj","INSTALL","CUSTOMER","aws","stable",""],"what":"Cluster - ClusterIsUpdating"}',
  },
] as const;

describe('recipes', () => {
  for (const { recipe, path, headers, body } of RECIPES) {
    for (const language of ['yaml', 'toml'] as const) {
      test(`${recipe}.${language}: the test Event makes the one request of the documentation`, async () => {
        await using server = await startApiServer();
        await using receiver = await startReceiver();
        await using workdir = await Workdir.make();
        const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
        const config = `${import.meta.dirname}/${recipe}.${language}`;
        const args = [
          'run',
          '-c',
          config,
          '-k',
          kubeconfig,
          '--state',
          workdir.file('state'),
          '--listen',
          '127.0.0.1:0',
        ];
        await using program = new Program(args, { env: { RECEIVER: receiver.url } });
        await program.ready();
        server.create(SEED_EVENT);
        await receiver.waitFor(1);
        const { code } = await program.stop();

        assert.equal(code, 0);
        assert.equal(receiver.requests.length, 1);
        const [request] = receiver.requests;
        assert.deepEqual([request?.method, request?.path, request?.body], ['POST', path, body]);
        assert.deepEqual({ ...request?.headers, ...headers }, request?.headers);
        assert.equal(request?.rawHeaders.filter((name) => name.toLowerCase() === 'content-type').length, 1);
      });
    }
  }
});
