import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startReceiver } from '../../src/testing/receiver.ts';
import { deployment, TestCluster } from '../e2e/cluster.ts';
import { messages, startProgram } from '../e2e/main-job.ts';
import { Workdir } from '../e2e/program.ts';
import { startControlPlane } from './control-plane.ts';
import { watching } from './endpoints.ts';

const CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.shop.example.com' },
  spec: {
    group: 'shop.example.com',
    scope: 'Namespaced',
    // Nothing makes a listKind end with List.
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetCollection' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

const widget = (colour: string) => ({
  apiVersion: 'shop.example.com/v1',
  kind: 'Widget',
  metadata: { name: 'blue', namespace: 'default' },
  spec: { colour },
});

const config = (webhookURL: string) => `
[[resource]]
kind = "widget"
apiVersion = "shop.example.com/v1"
[[resource]]
kind = "deployment"
[[handler]]
name = "diff"
[[handler]]
name = "slack"
webhookURL = "${webhookURL}"
`;

test('a custom resource that is installed later is watched from then on; the others are watched meanwhile', async () => {
  await using plane = await startControlPlane();
  await using workdir = await Workdir.make();
  await using slack = await startReceiver();
  await workdir.write('config.toml', config(slack.url));
  await using program = startProgram(workdir, await plane.access());
  await program.ready();

  await using cluster = new TestCluster(await plane.access());
  await cluster.create(deployment('web'));
  await slack.waitFor(1);
  await plane.apply([CRD]);
  await plane.kubectl('wait', '--for=condition=established', '--timeout=30s', `crd/${CRD.metadata.name}`);
  await watching(program, 'shop.example.com/v1/widgets');
  await plane.apply([widget('blue')], '--field-manager=painter');
  await plane.apply([widget('green')], '--field-manager=painter');
  await slack.waitFor(3);

  assert.deepEqual(
    messages(slack).map(({ title }) => title),
    ['ADD deployment\ndefault/web', 'ADD widget\ndefault/blue', 'UPDATE widget\ndefault/blue'],
  );
  assert.match(messages(slack)[2]?.text ?? '', /colour: blue -> green/);
  assert.equal((await program.stop()).code, 0);
});
