import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { codeOf } from '../../src/errors.ts';
import { assertTaken } from './answer.ts';

const refusal = (body: string): { code: string | undefined; message: string } | undefined => {
  try {
    assertTaken(body, 'hooks.example');
    return undefined;
  } catch (thrown) {
    return { code: codeOf(thrown), message: (thrown as Error).message };
  }
};

describe('assertTaken()', () => {
  for (const body of ['ok', 'ok\n', '', '{"ok":true}', '{"success":true}', '{}']) {
    test(`takes ${JSON.stringify(body)} for yes`, () => assert.equal(refusal(body), undefined));
  }

  for (const body of ['invalid_payload', 'no_service', 'channel_is_archived']) {
    test(`gives up on ${body}, which no retry mends`, () => {
      assert.deepEqual(refusal(body), {
        code: 'TERMINAL',
        message: `Slack (hooks.example) refused the message: ${body}`,
      });
    });
  }

  test('lets the chain retry what may pass', () => {
    assert.deepEqual(refusal('rollup_error'), {
      code: undefined,
      message: 'Slack (hooks.example) refused the message: rollup_error',
    });
  });

  for (const body of ['<html>Please log in</html>', '{"success":false}', '{"ok":false,"error":"x"}', '{']) {
    test(`takes ${JSON.stringify(body)} for no, and does not repeat it`, () => {
      const refused = refusal(body);
      assert.equal(refused?.code, undefined);
      assert.match(refused?.message ?? '', /^hooks\.example answered 2xx, but not as Slack does/);
      assert.ok(!refused?.message.includes(body));
    });
  }
});
