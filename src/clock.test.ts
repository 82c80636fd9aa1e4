import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { systemClock } from './clock.ts';

/** Like a process frozen by SIGSTOP or a container's freezer. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('systemClock.after() lets messages that arrived while the process was paused run before a deadline', async (t) => {
  const { port1: receiver, port2: sender } = new MessageChannel();
  t.after(() => receiver.close());
  const heard = Promise.withResolvers<string>();
  receiver.on('message', heard.resolve);
  await nextTurn();
  systemClock.after(1, () => heard.resolve('deadline'));
  sender.postMessage('answer');
  standStill(20);
  assert.equal(await heard.promise, 'answer');
});

test('systemClock.after() never fires after it is cancelled, not even by a message handled just before it', async (t) => {
  const { port1: receiver, port2: sender } = new MessageChannel();
  t.after(() => receiver.close());
  const heard: string[] = [];
  const calledOff = Promise.withResolvers<void>();
  await nextTurn();
  const cancel = systemClock.after(1, () => heard.push('deadline'));
  receiver.on('message', () => {
    cancel();
    calledOff.resolve();
  });
  sender.postMessage('answer');
  standStill(20);
  await calledOff.promise;
  await nextTurn();
  assert.deepEqual(heard, []);
});
