/** What the page costs, and how far it delays everything else. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startApiServer, type ApiServer } from '../../src/testing/api-server.ts';
import { deployment, pod, withImage } from '../../src/testing/pods.ts';
import type { Manifest } from '../../src/change.ts';
import { Program } from '../../test/e2e/program.ts';
import { launchBrowser, WITHOUT_BROWSER } from '../../test/web/browser.ts';
import { median, percentile, type Figure, type Scenario } from '../rig/figure.ts';

const PODS = 5_000;
const FAILING = 200;
const DEPLOYMENTS = 500;
const VIEWERS = 50;
const PER_SECOND = 1_000;
/** Node's histogram holds the time between two samples: this, if the loop is free. */
const SAMPLED_EVERY_MS = 10;
/** Longer than the page's data is reused for the next viewer. */
const APART_MS = 1_200;

const CONFIG = `[[chain]]
name = "pods"
  [[chain.resource]]
  kind = "pod"
  [[chain.handler]]
  name = "podAlerts"
[[chain]]
name = "changes"
  [[chain.resource]]
  kind = "deployment"
  [[chain.handler]]
  name = "diff"
`;

export const page: Scenario = {
  name: 'page',
  how: `The page of ${PODS} pods of which ${FAILING} fail, looked at every 1.2 s: first byte and bytes over the wire by a plain client, first paint in headless Chromium.
Then ${VIEWERS} viewers while ${PER_SECOND} changes a second pass: the event loop's delay, by the program's own metrics.`,
  async run({ folder, quick }) {
    const place = await folder();
    await using server = await startApiServer();
    server.putAll([...Array(PODS).keys()].map(pod));
    server.putAll([...Array(DEPLOYMENTS).keys()].map(deployment));
    await using program = await start(place, server);
    server.putAll([...Array(FAILING).keys()].map((n) => failing(pod(n))));
    const url = program.url();
    while (((await (await fetch(`${url}/api/alerts`)).json()) as { alerts: unknown[] }).alerts.length < FAILING)
      await delay(100);
    return [
      ...(await costOf(url, quick ? 5 : 20)),
      ...(WITHOUT_BROWSER === undefined ? [await paintOf(url, quick ? 3 : 10)] : []),
      await disturbance(url, server, quick ? 5 : 20),
    ];
  },
};

async function start(place: string, server: ApiServer): Promise<Program> {
  const config = join(place, 'config.toml');
  await writeFile(config, CONFIG);
  const kubeconfig = await server.writeKubeconfig(join(place, 'kubeconfig'));
  const args = ['run', '-c', config, '-k', kubeconfig, '--state', join(place, 'state'), '--listen', '127.0.0.1:0'];
  const program = new Program(args, { cwd: place, main: join(import.meta.dirname, '../../dist/src/main.js') });
  await program.ready();
  return program;
}

function failing(manifest: Manifest): Manifest {
  const status = manifest['status'] as { containerStatuses: object[] };
  const [first, ...others] = status.containerStatuses;
  const waiting = { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 5m0s restarting failed container' } };
  const broken = { ...first, state: waiting, ready: false, restartCount: 9 };
  return { ...manifest, status: { ...status, containerStatuses: [broken, ...others] } } as unknown as Manifest;
}

async function costOf(url: string, times: number): Promise<readonly Figure[]> {
  const cold = await view(url);
  const views: View[] = [];
  for (let n = 0; n < times; n++) {
    await delay(APART_MS);
    views.push(await view(url));
  }
  const wholeMs = median(views.map((one) => one.wholeMs));
  const whole = `the whole page ${wholeMs.toFixed(0)} ms, of the first view ${cold.wholeMs.toFixed(0)} ms`;
  return [
    { what: 'first byte of the first view', measured: cold.firstByteMs, unit: 'ms', limit: { atMost: 50 } },
    {
      what: `first byte of the page, median (${whole})`,
      measured: median(views.map(({ firstByteMs }) => firstByteMs)),
      unit: 'ms',
      limit: { atMost: 50 },
    },
    { what: 'the page over the wire', measured: cold.bytes / 1_000, unit: 'KB', limit: { atMost: 200 } },
  ];
}

interface View {
  /** The body's first byte: headers come earlier. */
  readonly firstByteMs: number;
  readonly wholeMs: number;
  readonly bytes: number;
}

async function view(url: string): Promise<View> {
  const beganAt = performance.now();
  const request = get(url, { headers: { 'accept-encoding': 'gzip' }, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let firstByteMs: number | undefined;
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    firstByteMs ??= performance.now() - beganAt;
    bytes += chunk.length;
  }
  return { firstByteMs: firstByteMs ?? Infinity, wholeMs: performance.now() - beganAt, bytes };
}

async function paintOf(url: string, times: number): Promise<Figure> {
  const browser = await launchBrowser();
  const paintMs: number[] = [];
  for (let n = 0; n < times; n++) {
    await delay(APART_MS);
    const context = await browser.newContext();
    const tab = await context.newPage();
    await tab.goto(url);
    await tab.waitForFunction(`performance.getEntriesByName('first-contentful-paint').length > 0`);
    paintMs.push(await tab.evaluate<number>(`performance.getEntriesByName('first-contentful-paint')[0].startTime`));
    await context.close();
  }
  await browser.close();
  return { what: 'first paint in Chromium, median', measured: median(paintMs), unit: 'ms', limit: { atMost: 300 } };
}

async function disturbance(url: string, server: ApiServer, seconds: number): Promise<Figure> {
  const over = new AbortController();
  const alone = await lagUnder(url, server, seconds);
  const viewers = await Promise.all(Array.from({ length: VIEWERS }, () => startViewer(url, over.signal)));
  const measured = await lagUnder(url, server, seconds);
  over.abort();
  await Promise.all(viewers.map(({ end }) => end));
  const what = `p99 of the event loop's delay, ${VIEWERS} viewers, ${PER_SECOND} changes/s (${alone.toFixed(1)} ms without viewers); median of the seconds`;
  return { what, measured, unit: 'ms', limit: { atMost: 10 } };
}

/** Versions continue across rounds. */
let version = 0;

async function lagUnder(url: string, server: ApiServer, seconds: number): Promise<number> {
  const objects = [...Array(DEPLOYMENTS).keys()].map(deployment);
  const lagMs: number[] = [];
  const beganAt = performance.now();
  for (let n = 0; n < seconds * PER_SECOND;) {
    const due = Math.floor(((performance.now() - beganAt) / 1_000) * PER_SECOND);
    const some: Manifest[] = [];
    for (; n < due; n++) some.push(withImage(objects[n % DEPLOYMENTS] ?? deployment(0), `2.16.${version++}`));
    if (some.length > 0) server.putAll(some);
    if (Math.floor(n / PER_SECOND) > lagMs.length) lagMs.push(await lagOf(url));
    await delay(5);
  }
  // The first sample includes what was before.
  return percentile(lagMs.slice(1), 0.5);
}

/** The lag of the program's event loop since the last call. */
async function lagOf(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const seconds = Number(/^nodejs_eventloop_lag_p99_seconds (\S+)/m.exec(metrics)?.[1]);
  return Math.max(0, seconds * 1_000 - SAMPLED_EVERY_MS);
}

/** Resolves once the viewer is connected, to a promise of its end. */
async function startViewer(url: string, signal: AbortSignal): Promise<{ readonly end: Promise<void> }> {
  const headers = { accept: 'text/event-stream' };
  const { body } = await fetch(`${url}/api/changes`, { headers, signal });
  const read = async (): Promise<void> => {
    for await (const chunk of body ?? []) if (chunk.length === 0) return;
  };
  return { end: read().catch(() => undefined) };
}
