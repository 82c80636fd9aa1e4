import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from 'winston';
import { markStale } from '../health.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { type LoggedLine, logInto } from '../testing/log-into.ts';
import { NoAnswerError } from './api.ts';
import { SourceError } from './failure.ts';
import { ScopeStatus } from './scope-status.ts';

function problemOf(failure: Error): string | undefined {
  const log = createLogger({ silent: true });
  const common = { kind: 'pod', namespace: 'shop', host: 'api:6443', onChange: () => undefined };
  const status = new ScopeStatus({ ...common, clock: new FakeClock(), log });
  status.setResource('v1/pods', 'shop');
  const error = new SourceError(failure.message, { remedy: 'retry', reason: 'network', cause: failure });
  status.failed({ verb: 'list', error, consecutive: 1, waitMs: 0, relist: false });
  return status.health.problem;
}

test('ScopeStatus does not repeat what the client already said about a request, and names the proxy', () => {
  const why = 'connection refused (ECONNREFUSED)';
  const begin = 'Cannot list v1/pods in namespace shop on api:6443';
  const unanswered = (problem: string) =>
    new NoAnswerError('GET /api/v1/pods', problem, { code: undefined, cause: undefined });
  assert.equal(problemOf(unanswered(`api:6443: ${why}`)), `${begin}: ${why}`);
  const through = 'through the proxy proxy:3128';
  assert.equal(problemOf(unanswered(`api:6443 ${through}: ${why}`)), `${begin} ${through}: ${why}`);
  assert.equal(problemOf(new Error('403 Forbidden')), `${begin}: 403 Forbidden`);
});

/** A watched scope, a way to fail its next watch, and the log lines that somebody should see. */
function watchedScope() {
  const said: string[] = [];
  const log = logInto(({ level, message }) => void (level === 'debug' || said.push(`${level}: ${message}`)));
  const common = { kind: 'pod', namespace: '', host: 'api:6443', onChange: () => undefined };
  const status = new ScopeStatus({ ...common, clock: new FakeClock(), log });
  status.setResource('v1/pods', '');
  status.watching(1);
  status.heard(1);
  const fails = (consecutive: number): void => {
    const error = new SourceError('500 InternalError', { remedy: 'retry', reason: 'status-500' });
    status.failed({ verb: 'watch', error, consecutive, waitMs: 0, relist: false });
  };
  return { status, fails, said };
}

const DEGRADED = 'warn: A scope is degraded, trying again';

test('ScopeStatus logs a watch that keeps failing the same way once, and its recovery once', () => {
  const { status, fails, said } = watchedScope();
  for (let n = 1; n <= 4; n++) fails(n);
  assert.deepEqual(said, [DEGRADED]);
  status.watching(1);
  status.heard(1);
  assert.deepEqual(said, [DEGRADED, 'info: Watching again']);
});

test('ScopeStatus logs watches that open but break before any event once', () => {
  const { status, fails, said } = watchedScope();
  for (let n = 1; n <= 4; n++) {
    fails(n);
    status.watching(1);
  }
  assert.deepEqual(said, [DEGRADED]);
});

test('ScopeStatus is degraded during a list that follows failures, until the watch after it', () => {
  const { status, fails } = watchedScope();
  for (let n = 1; n <= 2; n++) fails(n);
  status.listing();
  assert.equal(status.health.state, 'degraded');
  status.watching(1);
  assert.equal(status.health.state, 'watching');
});

test('ScopeStatus logs nothing for a watch that breaks once and recovers', () => {
  const { status, fails, said } = watchedScope();
  fails(1);
  status.watching(1);
  status.heard(1);
  assert.deepEqual(said, []);
});

test('ScopeStatus logs a failing store once, with cause and kind, and its recovery once', () => {
  const lines: LoggedLine[] = [];
  const common = { kind: 'pod', namespace: '', host: 'api:6443', onChange: () => undefined };
  const status = new ScopeStatus({ ...common, clock: new FakeClock(), log: logInto((line) => lines.push(line)) });
  status.setResource('v1/pods', '');
  const full = 'Cannot write to the store: no space is left on its volume; make room';
  for (let n = 0; n < 3; n++) status.storeFailed(new Error(full));
  assert.equal(status.health.problem, full);
  status.storeWorks();
  status.storeWorks();
  const named = { kind: 'pod', resource: 'v1/pods' };
  assert.deepEqual(lines, [
    { level: 'error', message: 'Cannot write to the store, trying again', ...named, problem: full },
    { level: 'info', message: 'The store can be written to again', ...named },
  ]);
});

for (const hours of [1, -1])
  test(`ScopeStatus detects silence correctly when the clock is set by ${hours} h`, async () => {
    const clock = new FakeClock();
    const common = { kind: 'pod', namespace: '', host: 'api:6443', onChange: () => undefined };
    const status = new ScopeStatus({ ...common, clock, log: createLogger({ silent: true }) });
    status.watching(1);
    status.heard(1);
    clock.set(hours * 3_600_000);
    assert.equal(status.health.lastHeardAt, clock.now());
    assert.equal(markStale(status.health, clock.now()).state, 'watching');
    await clock.advance(16 * 60_000);
    assert.equal(markStale(status.health, clock.now()).state, 'degraded');
  });
