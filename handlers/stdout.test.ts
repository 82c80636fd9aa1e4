import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, test } from 'node:test';
import type { SinkInstance } from '../src/chain/handler.ts';
import { changeOf } from '../src/testing/change.ts';
import { problemsOf, testContext, testEnvironment } from '../src/testing/handler.ts';
import stdout from './stdout.ts';

/** A reader that takes each write when released, or at once. */
class Output extends Writable {
  text = '';
  takeNext: (() => void) | undefined;
  readonly #isSlow: boolean;

  constructor(isSlow = false) {
    super({ decodeStrings: false });
    this.#isSlow = isSlow;
  }

  override _write(chunk: string, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk;
    if (this.#isSlow) this.takeNext = done;
    else done();
  }
}

function sinkOn(output: Writable, options: object = {}): SinkInstance {
  assert.equal(stdout.type, 'sink');
  return stdout.create(stdout.options.parse(options), testEnvironment({ stdout: output }));
}

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '7' },
};
const event = changeOf({
  after: { ...pod, kind: 'Event', reason: 'BackOff', count: 3, message: 'a\u001b[31m\u202e"b"' },
});

describe('stdout', () => {
  test('writes a change as one line of JSON, with its manifests', async () => {
    const output = new Output();
    const by = [{ manager: 'helm', operation: 'Update', paths: ['spec'] }] as const;
    await sinkOn(output).deliver(changeOf({ before: pod, after: pod, by, flags: { whileAway: true } }), testContext());
    assert.deepEqual(JSON.parse(output.text), {
      headline: 'pod shop/web updated',
      id: 1,
      time: '2026-11-20T23:42:03.000Z',
      cluster: 'test',
      action: 'updated',
      apiVersion: 'v1',
      kind: 'Pod',
      key: 'shop/web',
      namespace: 'shop',
      name: 'web',
      uid: 'u',
      resourceVersion: '7',
      by,
      flags: ['whileAway'],
      before: pod,
      after: pod,
    });
  });

  test('a layout keeps the order and the types of its values; values that yield nothing are omitted', async () => {
    const output = new Output();
    const layout = { z: 1, reason: '{{ event.reason }}', count: '{{ event.count }}', none: '{{ event.host }}' };
    await sinkOn(output, { layout }).deliver(event, testContext());
    assert.equal(output.text, '{"z":1,"reason":"BackOff","count":3}\n');
  });

  test('control and bidirectional characters from the cluster are escaped, and the parsed value is unchanged', async () => {
    const output = new Output();
    await sinkOn(output, { layout: ['{{ event.message }}'] }).deliver(event, testContext());
    assert.equal(output.text, '["a\\u001b[31m\\u202e\\"b\\""]\n');
    assert.deepEqual(JSON.parse(output.text), ['a\u001b[31m\u202e"b"']);
  });

  test('deliver() resolves only once the reader has accepted the line', async () => {
    const output = new Output(true);
    let isDelivered = false;
    const delivery = sinkOn(output)
      .deliver(event, testContext())
      .then(() => (isDelivered = true));
    await new Promise(setImmediate);
    assert.equal(isDelivered, false);
    output.takeNext?.();
    await delivery;
  });

  test('fails when the stream is broken, and when aborted', async () => {
    const broken = new Output();
    broken.on('error', () => {}).destroy(new Error('write EPIPE'));
    await assert.rejects(sinkOn(broken).deliver(event, testContext()), { message: 'Cannot write to stdout' });
    const abort = new AbortController();
    const delivery = sinkOn(new Output(true)).deliver(event, testContext({ signal: abort.signal }));
    abort.abort(new Error('stopping'));
    await assert.rejects(delivery, { message: 'stopping' });
  });

  test('refuses a layout with a mistake, naming its path', () => {
    const layout = { text: ['{{ chagne.kind }}'] };
    assert.match(
      problemsOf(stdout, { layout }).join(),
      /^layout\.text\.0: .*unknown name "chagne"; did you mean "change"/,
    );
  });
});
