import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isHalt } from '../src/chain/handler.ts';
import { changeOf } from '../src/testing/change.ts';
import { problemsOf, testContext, testEnvironment } from '../src/testing/handler.ts';
import ignoreEvents from './ignoreEvents.ts';

const web = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'default' } };
const changes = [changeOf({ after: web }), changeOf({ before: web, after: web }), changeOf({ before: web })];

async function passed(events: readonly string[]): Promise<string[]> {
  assert.equal(ignoreEvents.type, 'transform');
  const handler = ignoreEvents.create({ events }, testEnvironment());
  const actions: string[] = [];
  for (const change of changes) {
    if (!isHalt(await handler.handle(change, testContext()))) actions.push(change.action);
  }
  return actions;
}

describe('ignoreEvents', () => {
  test('25 with Add and Delete lets only updates through', async () => {
    assert.deepEqual(await passed(['Add', 'Delete']), ['updated']);
  });

  test('25 events that are not listed pass untouched', async () => {
    assert.deepEqual(await passed(['Update']), ['added', 'deleted']);
  });

  test('halts with the event as the reason', async () => {
    assert.equal(ignoreEvents.type, 'transform');
    const handler = ignoreEvents.create({ events: ['Add'] }, testEnvironment());
    const [added] = changes;
    assert.ok(added);
    assert.deepEqual(await handler.handle(added, testContext()), { halted: true, reason: 'event Add is ignored' });
  });

  test('25 refuses an event that does not exist, and an empty list, at the start', () => {
    assert.match(
      problemsOf(ignoreEvents, { events: ['Add', 'add'] }).join(),
      /^events\.1: .*"Add"\|"Update"\|"Delete"/,
    );
    assert.equal(problemsOf(ignoreEvents, { events: [] }).length, 1);
    assert.equal(problemsOf(ignoreEvents, {}).length, 1);
  });
});
