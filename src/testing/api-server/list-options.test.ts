import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startApiServer } from '../api-server.ts';

describe('the options of LIST and WATCH', () => {
  for (const [query, status] of [
    ['resourceVersion=abc', 400],
    ['limit=NaN', 400],
    ['resourceVersionMatch=NotOlderThan', 422],
    ['resourceVersionMatch=Exact&resourceVersion=0', 422],
    ['resourceVersionMatch=Newest&resourceVersion=5', 422],
    ['resourceVersionMatch=Exact&resourceVersion=5&continue=abc', 422],
    ['sendInitialEvents=true', 422],
    ['watch=true&resourceVersion=abc', 500],
    ['watch=true&timeoutSeconds=NaN', 400],
    ['watch=true&resourceVersion=5&resourceVersionMatch=NotOlderThan', 422],
    ['watch=true&sendInitialEvents=true', 422],
  ] as const) {
    test(`${query} is refused with ${status}`, async () => {
      await using server = await startApiServer({ watchList: true });
      assert.equal((await fetch(`${server.url}/api/v1/configmaps?${query}`)).status, status);
    });
  }
});
