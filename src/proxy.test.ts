import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { proxyFromEnv } from './proxy.ts';

const PROXY = 'http://proxy.example:3128';

function proxyOf(target: string, env: NodeJS.ProcessEnv): string | undefined {
  return proxyFromEnv(new URL(target), env)?.href;
}

describe('proxyFromEnv()', () => {
  test('uses the variable for the URL scheme, lower case first, with or without a scheme in its value', () => {
    assert.equal(proxyOf('https://api.example', { HTTPS_PROXY: PROXY }), `${PROXY}/`);
    assert.equal(proxyOf('http://api.example', { HTTPS_PROXY: PROXY }), undefined);
    assert.equal(
      proxyOf('http://api.example', { HTTP_PROXY: 'http://x', http_proxy: 'proxy.example:3128' }),
      `${PROXY}/`,
    );
  });

  for (const [target, excluded] of [
    ['https://localhost:6443', ''],
    ['https://127.0.0.1', ''],
    ['https://[::1]', ''],
    ['https://api.example', '*'],
    ['https://api.example', 'other, api.example'],
    ['https://api.example:6443', 'api.example:6443'],
    ['https://a.corp.example', 'corp.example'],
    ['https://a.corp.example', '.corp.example'],
    ['https://a.corp.example', '*.corp.example'],
    ['https://10.1.2.3:6443', '10.0.0.0/8'],
    ['https://[fd00::5]', 'fd00::/8'],
    ['https://[fd00::5]', '[fd00::5]'],
    ['https://[fd00::5]', 'fd00:0::5'],
    ['https://[fd00::5]:6443', '[fd00::5]:6443'],
    ['https://a.corp.example:6443', '.corp.example:6443'],
    ['https://hook.shop.svc.', 'svc'],
    ['https://api.example', 'other api.example'],
  ] as const) {
    test(`goes directly to ${target} with NO_PROXY="${excluded}"`, () => {
      assert.equal(proxyOf(target, { HTTPS_PROXY: PROXY, NO_PROXY: excluded }), undefined);
    });
  }

  for (const [target, excluded] of [
    ['https://api.example:6443', 'api.example:443'],
    ['https://a.corp.example:6443', 'corp.example:443'],
    ['https://[fd00::5]:6443', '[fd00::5]:443'],
    ['https://corp.example', '.corp.example'],
    ['https://acorp.example', 'corp.example'],
    ['https://11.1.2.3', '10.0.0.0/8'],
    ['https://11.1.2.3', '11.1.2.3/99,fd00::/8'],
  ] as const) {
    test(`goes through the proxy to ${target} with NO_PROXY="${excluded}"`, () => {
      assert.equal(proxyOf(target, { HTTPS_PROXY: PROXY, NO_PROXY: excluded }), `${PROXY}/`);
    });
  }

  for (const [what, value] of [
    ['is not a URL', 'http://me:hunter2@:x'],
    ['is not the URL of an HTTP proxy', 'ftp://me:hunter2@proxy.example'],
    ['has a password that is not percent-encoded', 'http://me:hunter2%of@proxy.example'],
  ] as const) {
    test(`refuses a variable that ${what}, without showing its value`, () => {
      const message =
        'The variable HTTPS_PROXY must be the URL of a proxy, such as http://proxy.example:3128; write a "%" in its password as %25';
      assert.throws(() => proxyOf('https://api.example', { HTTPS_PROXY: value }), { message });
    });
  }
});
