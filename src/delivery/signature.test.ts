import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { messageId, secretKey, signer } from './signature.ts';

// The test vector of the reference libraries: github.com/standard-webhooks/standard-webhooks, "sign function works".
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const ID = 'msg_p5jXN8AQM9LWM0D4loKWxJek';
const BODY = '{"test": 2432232314}';
const AT = 1_614_265_330_999;

describe('signer()', () => {
  test('matches the signature of the reference libraries', () => {
    assert.deepEqual(signer([SECRET])(ID, BODY, AT), {
      'webhook-id': ID,
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
    assert.deepEqual(
      signer([SECRET.slice('whsec_'.length)])(ID, Buffer.from(BODY), AT),
      signer([SECRET])(ID, BODY, AT),
    );
  });

  test('signs with both secrets during a rotation', () => {
    const other = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const both = signer([SECRET, other])(ID, BODY, AT)['webhook-signature'];
    const each = [SECRET, other].map((secret) => signer([secret])(ID, BODY, AT)['webhook-signature']);
    assert.equal(both, each.join(' '));
  });

  test('accepts only base64 of 24 to 64 bytes as a secret', () => {
    for (const bytes of [24, 32, 64])
      assert.equal(secretKey(`whsec_${Buffer.alloc(bytes, 1).toString('base64')}`)?.length, bytes);
    for (const wrong of [
      '',
      'whsec_',
      'whsec_abc',
      'not base64!',
      Buffer.alloc(23).toString('base64'),
      Buffer.alloc(65).toString('base64'),
    ]) {
      assert.equal(secretKey(wrong), undefined, wrong);
    }
  });

  test('a message id contains none of the characters that separate the signed parts', () => {
    const id = messageId('cluster|uid|updated:7|größe.chain/hook');
    assert.match(id, /^msg_[\w-]{43}$/);
    assert.equal(id, messageId('cluster|uid|updated:7|größe.chain/hook'));
  });
});
