import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from 'winston';
import { FakeClock } from '../testing/fake-clock.ts';
import { SourceError } from './failure.ts';
import { ScopeStatus } from './scope-status.ts';

function problemOf(message: string): string | undefined {
  const log = createLogger({ silent: true });
  const common = { kind: 'pod', namespace: 'shop', host: 'api:6443', onChange: () => undefined };
  const status = new ScopeStatus({ ...common, clock: new FakeClock(), log });
  status.found('v1/pods', 'shop');
  const error = new SourceError(message, { remedy: 'retry', reason: 'network' });
  status.failed({ verb: 'list', error, inARow: 1, waitMs: 0, relist: false });
  return status.health.problem;
}

test('what the client says of a request is not said twice, and the proxy is named', () => {
  const why = 'connection refused (ECONNREFUSED)';
  const begin = 'Cannot list v1/pods in namespace shop on api:6443';
  assert.equal(problemOf(`Cannot GET /api/v1/pods on api:6443: ${why}`), `${begin}: ${why}`);
  const through = 'through the proxy proxy:3128';
  assert.equal(problemOf(`Cannot GET /api/v1/pods on api:6443 ${through}: ${why}`), `${begin} ${through}: ${why}`);
  assert.equal(problemOf('403 Forbidden'), `${begin}: 403 Forbidden`);
});
