/** kubernetes-event-exporter's acceptance list, 38 to 42 and the memory of 33: how it runs in a cluster. Its line 40, leader election, is test/e2e/lease.test.ts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startApiServer, type ApiServer } from '../../src/testing/api-server.ts';
import { startReceiver } from '../../src/testing/receiver.ts';
import { Program, Workdir } from '../e2e/program.ts';
import { World } from '../e2e/world.ts';
import { until } from '../until.ts';
import { bodies, pod, podEvent, run, toHook } from './exporter.ts';

const NAME = '      layout: { name: "{{ .Name }}" }\n';

interface Pod extends AsyncDisposable {
  readonly server: ApiServer;
  readonly url: string;
  /** Starts it as in that cluster; the chart's arguments come last. */
  readonly start: (args: readonly string[], env?: NodeJS.ProcessEnv) => Program;
  readonly names: () => string[];
}

/** @param respond what the receiver answers. Default: 200 */
async function podWith(
  files: (url: string) => Readonly<Record<string, string>>,
  respond?: Parameters<typeof startReceiver>[0],
): Promise<Pod> {
  const stack = new AsyncDisposableStack();
  const server = stack.use(await startApiServer());
  const receiver = stack.use(await startReceiver(respond));
  const workdir = stack.use(await Workdir.make());
  await server.writeKubeconfig(workdir.file('kubeconfig'));
  for (const [name, text] of Object.entries(files(receiver.url))) await workdir.write(name, text);
  return {
    server,
    url: receiver.url,
    start: (args, env = {}) => stack.use(new Program(args, { cwd: workdir.path, env })),
    names: () => receiver.requests.map(({ body }) => (JSON.parse(body) as { readonly name: string }).name),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function delivers({ server, names }: Pod, program: Program): Promise<void> {
  await program.ready();
  server.create(podEvent({ name: 'one' }));
  await until('the Event', () => names().includes('one'));
}

const METRICS = ['-metrics-address', '127.0.0.1:0'];

describe("event-exporter's operation", { timeout: 120_000 }, () => {
  test('38 metrics count what each receiver took and refused; ready only after the first list', async () => {
    await using place = await podWith(
      (url) => ({ 'config.yaml': toHook(url, { layout: NAME }) }),
      ({ body }) => (body.includes('refused') ? { status: 400 } : {}),
    );
    const hangs = place.server.fault({ path: '/api/v1/events', watch: false, effect: 'hang' });
    await using program = place.start(['--compat', 'event-exporter', '-kubeconfig', 'kubeconfig', ...METRICS]);
    await place.server.waitUntil(() => hangs.hits > 0, 'the list');
    assert.equal((await fetch(`${program.url()}/readyz`)).status, 503);
    hangs.remove();
    await place.server.restart();
    await delivers(place, program);
    place.server.create(podEvent({ name: 'refused' }));
    await until('both metrics', async () => {
      const metrics = await (await fetch(`${program.url()}/metrics`)).text();
      return ['ok', 'refused'].every((outcome) =>
        metrics.includes(`watchchain_deliveries_total{receiver="default/webhook",outcome="${outcome}"} 1\n`),
      );
    });
  });

  test('38 the seven metrics of event-exporter have its names, types and prefix', async () => {
    await using place = await podWith((url) => ({
      'config.yaml': `metricsNamePrefix: event_exporter_\n${toHook(url, { layout: NAME })}`,
    }));
    await using program = place.start(['--compat', 'event-exporter', '-kubeconfig', 'kubeconfig', ...METRICS]);
    await delivers(place, program);
    const long = new Date(Date.now() - 3_600_000).toISOString();
    place.server.create(podEvent({ name: 'old', firstTimestamp: long, lastTimestamp: long }));
    place.server.fault({ path: '/api/v1/events', watch: true, effect: 'resetMidLine', times: 1 });
    place.server.create(podEvent({ name: 'two' }));
    await until('the other Event', () => place.names().includes('two'));
    const lines = async () => {
      const text = await (await fetch(`${program.url()}/metrics`)).text();
      return text.split('\n').filter((line) => /^(# TYPE )?event_exporter_/.test(line));
    };
    const counted = async (name: string) =>
      Number((await lines()).find((line) => line.startsWith(`event_exporter_${name} `))?.split(' ')[1]);
    await until('the Event that is too old', async () => (await counted('events_discarded')) === 1);
    assert.equal(await counted('events_sent'), 2);
    assert.equal(await counted('watch_errors'), 1);
    for (const name of ['send_event_errors', 'kube_api_read_cache_hits', 'kube_api_read_cache_misses'])
      assert.equal(await counted(name), 0, name);
    const types = (await lines()).filter((line) => line.startsWith('# TYPE'));
    assert.deepEqual(
      types.map((line) => line.slice('# TYPE event_exporter_'.length)),
      [
        'build_info gauge',
        'events_sent counter',
        'events_discarded counter',
        'watch_errors counter',
        'send_event_errors counter',
        'kube_api_read_cache_hits counter',
        'kube_api_read_cache_misses counter',
      ],
    );
    const [build = ''] = (await lines()).filter((line) => line.startsWith('event_exporter_build_info'));
    for (const label of ['version', 'revision', 'goversion', 'goos', 'goarch'])
      assert.ok(build.includes(`${label}="`), label);
  });

  test('33 a receiver that is down takes no memory: 20,000 Events wait on disk', async () => {
    await using place = await podWith(() => ({ 'config.yaml': toHook('http://127.0.0.1:1', { layout: NAME }) }));
    await using program = place.start([
      '--compat',
      'event-exporter',
      '-kubeconfig',
      'kubeconfig',
      '--state',
      'state',
      ...METRICS,
    ]);
    await program.ready();
    const metric = async (name: string) => {
      // Without keep-alive: the server may close the connection while this process makes Events.
      const text = await (await fetch(`${program.url()}/metrics`, { headers: { connection: 'close' } })).text();
      return Number(
        text
          .split('\n')
          .find((line) => line.startsWith(name))
          ?.split(' ')
          .at(-1),
      );
    };
    const atRest = await metric('process_resident_memory_bytes');
    for (let created = 0; created < 20_000;) {
      for (const until = created + 2_000; created < until; created++) {
        place.server.create(podEvent({ name: `e-${created}`, message: 'x'.repeat(1_000) }));
      }
      await until('what was created', async () => (await metric('events_sent ')) === created);
    }
    const grownMiB = ((await metric('process_resident_memory_bytes')) - atRest) / 2 ** 20;
    assert.ok(grownMiB < 150, `RSS grew by ${Math.round(grownMiB)} MiB`);
    assert.equal(await metric('watchchain_ends_total{chain="default",end="dead"}'), 0);
  });

  for (const args of [
    ['-conf', 'their.yaml', '-kubeconfig', 'kubeconfig', ...METRICS],
    ['--conf=their.yaml', '--kubeconfig=kubeconfig', '--metrics-address=127.0.0.1:0'],
  ]) {
    test(`39 its flags: ${args.join(' ')}`, async () => {
      await using place = await podWith((url) => ({ 'their.yaml': toHook(url, { layout: NAME }) }));
      await delivers(place, place.start(['--compat', 'event-exporter', ...args]));
    });
  }

  test('39 config.yaml and KUBECONFIG are used without flags; unknown flags are refused', async () => {
    await using place = await podWith((url) => ({ 'config.yaml': toHook(url, { layout: NAME }) }));
    const env = { KUBECONFIG: 'kubeconfig', WATCHCHAIN_COMPAT: 'event-exporter' };
    await delivers(place, place.start(METRICS, env));
    for (const [args, message] of [
      [['-conf'], /flag needs an argument: -conf/],
      [['-confg', 'x'], /unknown flag '-confg'; did you mean "conf"\?/],
      [['-metrics-tls-config', 'x'], /-metrics-tls-config is not supported/],
    ] as const) {
      const { code, stderr } = await place.start(args, env).exited();
      assert.equal(code, 2, args.join(' '));
      assert.match(stderr, message);
    }
    const { code, stdout } = await place
      .start(['--compat', 'event-exporter', 'check', '-conf=config.yaml'], env)
      .exited();
    assert.deepEqual([code, stdout.startsWith('config.yaml is valid.')], [0, true], 'its flags, for a command of ours');
    const unknown = await place.start(['--compat', 'event-expoter']).exited();
    assert.deepEqual([unknown.code, /did you mean "event-exporter"/.test(unknown.stderr)], [2, true]);
  });

  test("41 with the app's args and nowhere to write, pending Events are delivered before the end", async () => {
    await using server = await startApiServer();
    await using receiver = await startReceiver(() => ({ delayMs: 400 }));
    await using workdir = await Workdir.make();
    const kubeconfig = await server.writeKubeconfig(workdir.file('kubeconfig'));
    const config = await workdir.write('config.yaml', toHook(receiver.url, { layout: NAME }));
    // In /proc/self not even root can create a folder, like uid 1000 without a volume.
    const env = { WATCHCHAIN_COMPAT: 'event-exporter', KUBECONFIG: kubeconfig, HOME: '/proc/self', XDG_STATE_HOME: '' };
    await using program = new Program(['--conf', config, ...METRICS], { env });
    await program.ready();
    assert.match(program.stderr, /The state is kept in memory/);
    const all = Array.from({ length: 20 }, (_, n) => `event-${String(n).padStart(2, '0')}`);
    for (const name of all) server.create(podEvent({ name }));
    await receiver.waitFor(2);
    const { code, stderr } = await program.stop();
    assert.equal(code, 0);
    assert.doesNotMatch(stderr, /kept nowhere/);
    assert.deepEqual(
      receiver.requests.map(({ body }) => (JSON.parse(body) as { name: string }).name),
      all,
    );
  });

  test('42 get, list and watch of Events are enough; forbidden lookups are logged at most once', async () => {
    await using world = await World.start();
    world.server.allow(({ resource, verb }) => resource === 'events' && ['get', 'list', 'watch'].includes(verb));
    const layout = `      layout: { name: "{{ .Name }}", labels: "{{ toJson .InvolvedObject.Labels }}" }\n`;
    await using running = await run(world, toHook(world.slack.url, { layout }));
    for (const name of ['a', 'b', 'c']) {
      world.server.create(pod(name, { labels: { app: name } }));
      const involvedObject = { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name };
      world.server.create(podEvent({ name, involvedObject }));
    }
    await world.slack.waitFor(3);
    await running.app.idle();
    assert.deepEqual(
      bodies(world),
      ['a', 'b', 'c'].map((name) => ({ labels: 'null', name })),
    );
    assert.doesNotMatch(running.serviceLog(), /"level":"error"/);
    assert.ok(
      running
        .serviceLog()
        .split('\n')
        .filter((line) => line.includes('forbidden')).length <= 1,
    );
  });
});
