/** The program with a Lease, as several processes on one folder, on any API server: never two at once. */
import assert from 'node:assert/strict';
import { startReceiver } from '../../src/testing/receiver.ts';
import { deployment, TestCluster, type ClusterAccess } from './cluster.ts';
import { kwatchmanConfig, messages, startProgram } from './main-job.ts';
import type { Program, Workdir } from './program.ts';

/** kwatchman's configuration with a Lease; what happened meanwhile is sent one by one. */
export function leaseConfig(webhookURL: string, durationS: number): string {
  const lease = `[lease]\nname = "hand-over"\nduration = "${durationS}s"\n`;
  return `whileAway = "each"\n${kwatchmanConfig(webhookURL, ['deployment'])}${lease}`;
}

/** From the signal to one process until the other watches, milliseconds. */
export interface HandOverTimes {
  readonly cleanMs: number;
  readonly crashMs: number;
}

/** One stops while a second waits, then the second dies while a third waits; the cluster changes meanwhile. */
export async function handOver(access: ClusterAccess, workdir: Workdir, durationS: number): Promise<HandOverTimes> {
  await using cluster = new TestCluster(access);
  await using slack = await startReceiver(() => ({ body: 'ok' }));
  const scale = (replicas: number) => cluster.patch('Deployment', 'web', { spec: { replicas } }, 'kubectl-scale');
  await workdir.write('config.toml', leaseConfig(slack.url, durationS));
  await using first = startProgram(workdir, access);
  await first.ready();
  await using second = startProgram(workdir, access);
  await standsBy(second);
  assert.match(await metricsOf(first), /^watchchain_leader\{lease="default\/hand-over"\} 1$/m);
  const waiting = await metricsOf(second);
  assert.match(waiting, /^watchchain_leader\{lease="default\/hand-over"\} 0$/m);
  assert.doesNotMatch(waiting, /^watchchain_state_free_bytes/m, 'no alarm of a full disk');
  await cluster.create(deployment('web'));
  await slack.waitFor(1);

  const stopping = performance.now();
  const stopped = first.stop();
  await scale(2);
  assert.equal((await stopped).code, 0);
  await second.ready();
  const cleanMs = performance.now() - stopping;
  await slack.waitFor(2);

  await using third = startProgram(workdir, access);
  await standsBy(third);
  const dying = performance.now();
  await second.stop('SIGKILL');
  await scale(3);
  await third.ready();
  const crashMs = performance.now() - dying;
  await slack.waitFor(3);
  await scale(4);
  await slack.waitFor(4);
  assert.equal((await third.stop()).code, 0);
  assert.deepEqual(
    messages(slack).map(({ text }) => /replicas \d+ -> \d+/.exec(text)?.[0]),
    [undefined, 'replicas 1 -> 2', 'replicas 2 -> 3', 'replicas 3 -> 4'],
  );
  return { cleanMs, crashMs };
}

/** Asserts that it reports who holds the Lease, and is therefore not ready. */
export async function standsBy(program: Program): Promise<void> {
  await program.until('waiting', ({ stderr }) => /"Waiting for the lease"/.test(stderr));
  const answer = await fetch(`${program.url()}/readyz`);
  assert.deepEqual([answer.status, await answer.text()], [503, 'not ready: standby\n']);
}

async function metricsOf(program: Program): Promise<string> {
  return (await fetch(`${program.url()}/metrics`)).text();
}
