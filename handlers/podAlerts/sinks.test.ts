/** What alerts look like at their receivers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documentOf } from '../../src/change/change-document.ts';
import type { Change } from '../../src/change.ts';
import { podOf, terminated, waiting } from '../../src/testing/failing-pods.ts';
import { Rig } from '../../src/testing/test-pod-alerts.ts';
import { detailsOf } from '../../src/template/details.ts';
import { headlineOf } from '../../src/template/headline.ts';
import { changeEntry, prettyText } from '../log/entry.ts';
import { digestOf } from '../slack/digest.ts';
import { attachmentOf } from '../slack/message.ts';
import { cardOf } from '../teams/card.ts';
import { digestOf as digestCardOf } from '../teams/digest.ts';

const lastChange = {
  id: 7,
  headline: 'deployment shop/web updated: image web 1.0 -> 1.1',
  by: ['kubectl-set'],
  time: '2025-12-31T23:58:00.000Z',
};

async function alerts(): Promise<{ firing: Change; resolved: Change }> {
  const rig = new Rig(
    {},
    {
      eventsOf: () =>
        Promise.resolve([
          {
            time: '2026-01-01T00:00:00.000Z',
            type: 'Warning',
            reason: 'BackOff',
            message: 'Back-off\nrestarting\n',
            count: 4,
          },
        ]),
      logTail: ({ previous, container }) =>
        Promise.resolve(`previous ${previous} of ${container}\n<script>\u001b[31m@here`),
    },
  );
  await rig.apply(podOf({ containers: [waiting('CrashLoopBackOff', { lastState: terminated(1, 'Error') })] }));
  await rig.apply(podOf());
  await rig.advance(90_000);
  const [firing, resolved] = rig.passed;
  if (firing?.notes.alert === undefined || resolved === undefined) throw new Error('Both are told');
  const alert = { ...firing.notes.alert, lastChanges: [lastChange] };
  return { firing: { ...firing, notes: { alert } }, resolved };
}

const HEADLINE =
  'CrashLoopBackOff (Error, exit 1): deployment shop/web, pod web-5d4f8c7b9-x, container web, node node-1';

test('a message names pod, container and reason, and says resolved at the end', async () => {
  const { firing, resolved } = await alerts();
  assert.equal(headlineOf(firing), HEADLINE);
  assert.match(headlineOf(resolved), /^resolved after 0s: CrashLoopBackOff .*pod web-5d4f8c7b9-x, container web/);
});

test('slack: title, colour and text', async () => {
  const { firing, resolved } = await alerts();
  const { title, color, text, fallback } = attachmentOf(firing, '');
  assert.deepEqual([title, color, fallback], ['FAILURE deployment\nshop/web', '#FF0000', HEADLINE]);
  const lines = text.split('\n');
  for (const line of [
    '  2025-12-31 23:58:00Z deployment shop/web updated: image web 1.0 -> 1.1, by kubectl-set',
    '  BackOff x4: Back-off restarting',
    '  previous true of web',
    'The container keeps exiting: see its log.',
  ]) {
    assert.ok(lines.includes(line), `${line} in\n${text}`);
  }
  assert.ok(!text.includes('<script') && !text.includes('\u001b'), 'what a log holds is shown as text');
  assert.equal(attachmentOf(firing, 'prod-eu').fallback, `prod-eu: ${HEADLINE}`, 'a phone shows no footer');
  const over = attachmentOf(resolved, '');
  assert.deepEqual([over.title, over.color], ['RESOLVED deployment\nshop/web', '#1ADA00']);
});

test('slack and teams show the end of a log that is too long: it says why the program ended', async () => {
  const { firing } = await alerts();
  const log = (size: number) =>
    [...Array.from({ length: 100 }, (_, n) => `at frame ${n} <${'&'.repeat(size)}>`), 'panic: no route to db'].join(
      '\n',
    );
  const withLog = (size: number): Change => {
    assert.ok(firing.notes.alert !== undefined);
    return { ...firing, notes: { alert: { ...firing.notes.alert, log: log(size) } } };
  };
  const { text } = attachmentOf(withLog(20), '');
  assert.ok(text.length <= 4_000, `${text.length} characters`);
  assert.match(text, /\nlog, without the first \d+ lines:\n {2}at frame/);
  assert.match(text, /\n {2}panic: no route to db```$/);
  const card = JSON.stringify(cardOf(withLog(500), ''));
  assert.match(card, /log, without the first \d+ lines:/);
  assert.match(card, /panic: no route to db/);
  assert.doesNotMatch(card, /more lines/);
});

test('the log of a program on Windows has no carriage returns', async () => {
  const { firing } = await alerts();
  assert.ok(firing.notes.alert !== undefined);
  const change = { ...firing, notes: { alert: { ...firing.notes.alert, log: 'one\r\ntwo\r\n' } } };
  for (const text of [attachmentOf(change, '').text, detailsOf(change)]) assert.match(text, /\n {2}one\n {2}two\n/);
});

test('slack: a last line that is too long by itself is shown with its beginning and its end', async () => {
  const { firing } = await alerts();
  assert.ok(firing.notes.alert !== undefined);
  const log = `a line\n{"level":"fatal",${'x'.repeat(9_000)},"error":"no route to db"}`;
  const { text } = attachmentOf({ ...firing, notes: { alert: { ...firing.notes.alert, log } } }, '');
  assert.match(text, /\n {2}a line\n {2}\{"level":"fatal",x+…x+,"error":"no route to db"\}```$/);
});

test('slack: several alerts in one message', async () => {
  const { firing } = await alerts();
  const { text = '' } = digestOf(
    Array.from({ length: 120 }, () => firing),
    { contentOf: () => ({ text: '' }), mentionsOf: () => [] },
    'prod',
  );
  assert.match(text, /\*FAILURE deployment\* · shop · 120\n```CrashLoopBackOff/);
});

test('teams: headline, colour and details', async () => {
  const { firing, resolved } = await alerts();
  const card = JSON.stringify(cardOf(firing, 'prod'));
  for (const part of [HEADLINE, '"Attention"', 'BackOff x4', 'previous true of web'])
    assert.ok(card.includes(part), part);
  assert.ok(JSON.stringify(cardOf(resolved, 'prod')).includes('"Good"'));
});

test('nobody is named as the cause of an alert: the kubelet only wrote the status', async () => {
  const { firing } = await alerts();
  const change: Change = { ...firing, by: [{ manager: 'kubelet', operation: 'Update', paths: ['status.phase'] }] };
  for (const shown of [
    cardOf(change, ''),
    attachmentOf(change, ''),
    detailsOf(change),
    prettyText(changeEntry(change), { color: false }),
  ])
    assert.doesNotMatch(JSON.stringify(shown), /by kubelet/);
});

test('teams: several alerts on one card, firing and resolved ones apart', async () => {
  const { firing, resolved } = await alerts();
  const card = JSON.stringify(digestCardOf([firing, resolved, firing], 'prod'));
  for (const head of ['"deployment failure · shop · 2"', '"deployment resolved · shop · 1"'])
    assert.ok(card.includes(head), card);
});

test('log: a line and a block in pretty, an alert object in JSON', async () => {
  const { firing, resolved } = await alerts();
  const entry = changeEntry(firing);
  assert.match(prettyText(changeEntry(resolved), { color: false }), /Z resolved Pod /, 'not "timer"');
  assert.equal(entry.message, 'Alert');
  assert.equal((entry.details['alert'] as { reason: string }).reason, 'CrashLoopBackOff');
  assert.match(
    prettyText(entry, { color: false }),
    /Z failure Pod shop\/web-5d4f8c7b9-x {2}CrashLoopBackOff[^\n]*\n {4}back-off/,
  );
});

test('webhook, file and stdout: the alert is a member of the document', async () => {
  const { firing } = await alerts();
  const { headline, alert } = documentOf(firing);
  assert.equal(headline, HEADLINE);
  assert.deepEqual([alert?.status, alert?.owner.name, alert?.lastChanges], ['firing', 'web', [lastChange]]);
});
