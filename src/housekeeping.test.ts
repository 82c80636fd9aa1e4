import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from 'winston';
import type { ChainConfig } from './config/config.ts';
import { tellOfOrphans } from './housekeeping.ts';
import type { Balance } from './store/store.ts';

const owing = (chain: string, pending = 1): Balance => {
  const ends = { replayed: 0, completed: 0, halted: 0, dead: 0, superseded: 0, discarded: 0 };
  return { chain, accepted: pending, ...ends, pending };
};

test('tellOfOrphans() names chains that are not configured and are owed something, branches looked into', async () => {
  const branch = { name: 'pods/slack', branches: [] } as unknown as ChainConfig;
  const chains = [{ name: 'pods', branches: [branch] } as unknown as ChainConfig];
  const balances = [owing('pods'), owing('pods/slack'), owing('pods/gone'), owing('gone'), owing('quiet', 0)];
  const told: unknown[] = [];
  const log = createLogger({ silent: true });
  log.warn = ((_message: string, fields: object) => told.push(fields)) as unknown as typeof log.warn;
  await tellOfOrphans({ balances: () => Promise.resolve(balances) }, chains, log);
  assert.deepEqual(told, [
    { chain: 'pods/gone', pending: 1 },
    { chain: 'gone', pending: 1 },
  ]);
});
