import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, test } from 'node:test';
import type { Change } from '../../src/change.ts';
import type { SinkInstance } from '../../src/chain/handler.ts';
import { parseJson } from '../../src/parse-json.ts';
import { changeOf, type ChangeParts } from '../../src/testing/change.ts';
import { problemsOf, testContext, testEnvironment } from '../../src/testing/handler.ts';
import { withDifference } from '../diff/difference.ts';
import log from './index.ts';

/** Completes one write at a time, each when released. */
class Output extends Writable {
  text = '';
  readonly isTTY: boolean;
  readonly #pending: (() => void)[] = [];
  readonly #held: boolean;

  constructor({ isTTY = false, held = false } = {}) {
    super({ decodeStrings: false });
    this.isTTY = isTTY;
    this.#held = held;
  }

  hasColors(): boolean {
    return this.isTTY;
  }

  /** How many writes wait for {@link release}. */
  get waiting(): number {
    return this.#pending.length;
  }

  release(): void {
    this.#pending.shift()?.();
  }

  override _write(chunk: string, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk;
    if (this.#held) this.#pending.push(done);
    else done();
  }
}

function sinkOn(stdout: Output, options: object = {}): SinkInstance {
  assert.equal(log.type, 'sink');
  return log.create(
    log.options.parse(options),
    testEnvironment({ stdout: stdout as unknown as NodeJS.WritableStream }),
  );
}

const diffed = (parts: ChangeParts) => withDifference(changeOf(parts));

async function written(change: Change, options: object = {}, isTTY = false): Promise<string> {
  const stdout = new Output({ isTTY });
  await sinkOn(stdout, options).deliver(change, testContext());
  return stdout.text;
}

const service = (port: number, note: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default', uid: 'u-7', resourceVersion: '42' },
  spec: { ports: [{ name: 'http', port: 80, targetPort: port }], externalName: note },
});
const by: ChangeParts['by'] = [{ manager: 'kubectl-edit', operation: 'Update', paths: ['spec'] }];
const text = 'one\ntwo\nthree';
const edited: ChangeParts = { before: service(80, text), after: service(8080, text.replace('two', '2')), by };

describe('log', () => {
  test('describes a Kubernetes Event by type, reason and message, with the count of a repeat', async () => {
    const event = (count: number) => ({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'web-1.17f', namespace: 'shop' },
      involvedObject: { kind: 'Pod', name: 'web-1' },
      type: 'Warning',
      reason: 'BackOff',
      message: 'Back-off\nrestarting',
      count,
    });
    const words = (often: string) => `Warning BackOff${often} pod web-1: Back-off restarting`;
    // Its component writes it, and has caused nothing.
    const again = diffed({ before: event(1), after: event(2), by });
    for (const [change, often] of [
      [changeOf({ after: event(1) }), ''],
      [again, ' x2'],
    ] as const) {
      assert.equal((JSON.parse(await written(change)) as { headline?: string }).headline, words(often));
    }
    assert.match(
      await written(again, {}, true),
      /Event shop\/web-1\.17f {2}Warning BackOff x2 pod web-1: Back-off restarting\n {4}count: 1 -> 2\n$/,
    );
  });

  test('30 writes one JSON object per change, with the object, the managers and the differences', async () => {
    const line = await written(diffed(edited));
    assert.ok(line.endsWith('}\n') && line.indexOf('\n') === line.length - 1);
    const { diff, ...entry } = JSON.parse(line) as Record<string, unknown>;
    assert.deepEqual(entry, {
      time: '2026-11-20T23:42:03.000Z',
      level: 'info',
      message: 'Change',
      id: 1,
      cluster: 'test',
      action: 'updated',
      kind: 'Service',
      apiVersion: 'v1',
      key: 'default/web',
      uid: 'u-7',
      resourceVersion: '42',
      by: ['kubectl-edit'],
      flags: [],
      headline: entry['headline'],
      fields: [
        { path: 'spec.ports[80/TCP].targetPort', op: 'replace', before: 80, after: 8080 },
        { path: 'spec.externalName', op: 'replace', before: text, after: 'one\n2\nthree' },
      ],
    });
    assert.match(String(entry['headline']), /80 -> 8080/);
    assert.match(String(diff), /^-two\n\+2$/m);
  });

  test('without diff, the entry of a deletion has action, managers and flags, but no fields or headline', async () => {
    const line = await written(changeOf({ before: service(80, ''), by, flags: { leftScope: true } }));
    const { action, by: managers, flags, ...rest } = JSON.parse(line) as Record<string, unknown>;
    assert.deepEqual([action, managers, flags], ['deleted', ['kubectl-edit'], ['leftScope']]);
    assert.ok(!('fields' in rest) && !('headline' in rest));
  });

  test('30 at level debug the manifest follows, for a deletion the last known one; integers stay exact', async () => {
    const manifest = `{"kind":"X","metadata":{"name":"x"},"spec":{"big":12345678901234567890}}`;
    const before = parseJson(Buffer.from(manifest)) as object;
    const lines = (await written(changeOf({ before }), { level: 'debug' })).trimEnd().split('\n');
    assert.equal(lines.length, 2);
    assert.equal((JSON.parse(lines[1] ?? '') as { level: string }).level, 'debug');
    assert.ok(lines[1]?.endsWith(`"manifest":${manifest}}`), lines[1]);
  });

  test('text from the cluster cannot forge an entry: control and bidirectional characters are escaped', async () => {
    const evil = 'a\n{"forged":1}\u001b[31m\u202e\u2028\u0085\u061c\u200e\u200f';
    const change = changeOf({ after: { kind: 'X', metadata: { name: evil } } });
    const json = await written(change);
    assert.doesNotMatch(json.trimEnd(), /[\p{Cc}\p{Bidi_C}\u2028-\u202e]/u);
    assert.equal((JSON.parse(json) as { key: string }).key, evil);
    const pretty = await written(change, { format: 'pretty', level: 'debug' });
    assert.doesNotMatch(pretty, /[^\P{Cc}\n]|[\p{Bidi_C}\u2028-\u202e]/u);
    assert.doesNotMatch(pretty, /^\{/m);
  });

  test('a value of more than 1,000 characters is cut in fields', async () => {
    const { fields } = JSON.parse(
      await written(diffed({ before: service(80, 'a'), after: service(80, 'b'.repeat(5_000)) })),
    ) as {
      fields: { before: string; after: string }[];
    };
    assert.equal(fields[0]?.before, 'a');
    assert.match(fields[0]?.after ?? '', /^b{999}…$/);
  });

  test('format pretty: a line with headline, managers and flags, then the fields and the diff indented', async () => {
    const flags = { whileAway: true } as const;
    const lines = (await written(diffed({ ...edited, flags }), { format: 'pretty' })).split('\n');
    assert.match(
      lines[0] ?? '',
      /^2026-11-20T23:42:03\.000Z updated Service default\/web {2}.* · by kubectl-edit · happened while nothing was watching$/,
    );
    assert.equal(lines[1], '    spec.ports[80/TCP].targetPort: 80 -> 8080');
    assert.ok(lines.includes('    -two') && lines.includes('    +2'));
    assert.equal(lines.at(-1), '');
  });

  test('auto is pretty and coloured on a terminal only', async () => {
    const change = changeOf({ after: service(80, '') });
    assert.ok((await written(change, {}, true)).endsWith(' \u001b[32madded  \u001b[0m Service default/web\n'));
    assert.match(await written(change, {}, false), /^\{/);
    assert.match(await written(change, { format: 'json' }, true), /^\{/);
    assert.ok(!(await written(change, { format: 'pretty' }, false)).includes('\u001b'));
  });

  test('deliver() resolves only once the stream has accepted the entry, in order', async () => {
    const stdout = new Output({ held: true });
    const sink = sinkOn(stdout);
    const done: number[] = [];
    const all = Promise.all(
      [1, 2].map(async (n) => {
        await sink.deliver(changeOf({ after: { kind: 'X', metadata: { name: `x${n}` } } }), testContext());
        done.push(n);
      }),
    );
    await new Promise(setImmediate);
    assert.deepEqual([done, stdout.waiting], [[], 1]);
    stdout.release();
    await new Promise(setImmediate);
    assert.deepEqual([done, stdout.waiting], [[1], 1]);
    stdout.release();
    await all;
    assert.match(stdout.text, /"key":"x1".*\n.*"key":"x2"/);
  });

  test('fails when the stream is broken, and when aborted', async () => {
    const change = changeOf({ after: service(80, '') });
    const broken = new Output();
    broken.on('error', () => {}).destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    await assert.rejects(sinkOn(broken).deliver(change, testContext()), {
      message: 'Cannot write to the output stream',
    });

    const abort = new AbortController();
    const delivery = sinkOn(new Output({ held: true })).deliver(change, testContext({ signal: abort.signal }));
    abort.abort(new Error('stopping'));
    await assert.rejects(delivery, { message: 'stopping' });
  });

  test('refuses an unknown format or level at the start', () => {
    assert.match(problemsOf(log, { format: 'yaml' }).join(), /^format: .*"json"/);
    assert.match(problemsOf(log, { level: 'warn' }).join(), /^level: /);
  });
});
