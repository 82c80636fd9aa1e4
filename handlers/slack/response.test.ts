import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { codeOf } from '../../src/errors.ts';
import { assertAccepted } from './response.ts';

const refusal = (body: string): { code: string | undefined; message: string } | undefined => {
  try {
    assertAccepted(body, 'hooks.example');
    return undefined;
  } catch (thrown) {
    return { code: codeOf(thrown), message: (thrown as Error).message };
  }
};

describe('assertTaken()', () => {
  for (const body of ['ok', 'ok\n', '', '{"ok":true}', '{"success":true}', '{}']) {
    test(`accepts ${JSON.stringify(body)} as success`, () => assert.equal(refusal(body), undefined));
  }

  for (const body of ['invalid_payload', 'no_service', 'channel_is_archived']) {
    test(`${body} is terminal`, () => {
      assert.deepEqual(refusal(body), {
        code: 'TERMINAL',
        message: `Slack (hooks.example) refused the message: ${body}`,
      });
    });
  }

  test('a transient error is a failed attempt', () => {
    assert.deepEqual(refusal('rollup_error'), {
      code: undefined,
      message: 'Slack (hooks.example) refused the message: rollup_error',
    });
  });

  for (const body of ['<html>Please log in</html>', '{"success":false}', '{"ok":false,"error":"x"}', '{']) {
    test(`${JSON.stringify(body)} is a failed attempt and is not quoted`, () => {
      const refused = refusal(body);
      assert.equal(refused?.code, undefined);
      assert.match(refused?.message ?? '', /^hooks\.example answered 2xx, but not as Slack does/);
      assert.ok(!refused?.message.includes(body));
    });
  }
});
