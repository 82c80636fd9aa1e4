/** Rows 70 and 71: the process itself is suspended, or nobody reads its output. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { kwatchmanConfig } from '../e2e/main-job.ts';
import { withStore } from './balance.ts';
import { reportEach, Service } from './service.ts';
import { assertComplete, trackingReceiver } from './stories.ts';
import { until } from '../until.ts';

const OBJECTS = 20;

/** The pending changes of all chains. */
const pending = (service: Service): Promise<number> =>
  withStore(service.state, async (store) =>
    (await store.balances()).reduce((sum, balance) => sum + balance.pending, 0),
  );

describe('a process that', { concurrency: 2 }, () => {
  test('70 is suspended while the cluster changes and compacts its history goes on, and reports everything once', async () => {
    const end = { objects: OBJECTS, last: 3 };
    const tracker = trackingReceiver(end);
    await using service = await Service.make(OBJECTS, tracker.respond);
    await using program = service.start();
    await program.ready();
    service.scale(1);
    await service.slack.waitFor(1, 60_000);
    program.signal('SIGSTOP');
    service.scale(2);
    await service.server.restart(() => {
      service.scale(3);
      service.server.compact();
    });
    program.signal('SIGCONT');
    await tracker.done();
    assert.equal((await program.stop()).code, 0);
    assert.equal(assertComplete(service.slack.requests, end).repeated, 0);
    await service.assertBalanced();
  });

  test('71 writes to a stdout that nobody reads holds up the chain that writes, and no other', async () => {
    const end = { objects: OBJECTS, last: 40 };
    const tracker = trackingReceiver(end);
    await using service = await Service.make(OBJECTS, tracker.respond);
    const slack = kwatchmanConfig(service.slack.url, ['deployment']).replace('[[handler]]\nname = "log"\n', '');
    const printing =
      '[[chain]]\nname = "printing"\n[[chain.resource]]\nkind = "deployment"\n[[chain.handler]]\nname = "log"\n';
    await service.workdir.write('config.toml', reportEach(`coalesce = false\n${slack}${printing}`));
    await using program = service.start();
    await program.ready();
    program.pauseStdout();
    for (let replicas = 1; replicas <= end.last; replicas++) service.scale(replicas);
    await tracker.done();
    assert.equal((await fetch(`${program.url()}/livez`)).status, 200);
    program.resumeStdout();
    await until('the printing chain to end', async () => (await pending(service)) === 0);
    assert.equal((await program.stop()).code, 0);
    assert.equal(assertComplete(service.slack.requests, end).repeated, 0);
    await service.assertBalanced();
  });
});
