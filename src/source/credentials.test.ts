import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { delimiter } from 'node:path';
import { before, describe, test } from 'node:test';
import { startApiServer } from '../testing/api-server.ts';
import { credentialProblem, kubeconfigFolder } from '../testing/test-credentials.ts';
import { createApiClient } from './api-client.ts';
import { loadCredentials } from './credentials.ts';

const { pathOf, write, kubeconfig } = kubeconfigFolder();

async function headersOf(user: object): Promise<Readonly<Record<string, string | string[]>>> {
  return (await loadCredentials({ kubeconfig: await kubeconfig(user), env: {} })).headers();
}

describe('loadCredentials() with a kubeconfig', () => {
  test('takes server, names and namespace from the current context', async () => {
    const credentials = await loadCredentials({ kubeconfig: await kubeconfig({ token: 't' }), env: {} });
    assert.equal(credentials.server.host, '127.0.0.1:6443');
    assert.equal(credentials.clusterName, 'prod-eu');
    assert.equal(credentials.namespace, 'shop');
    assert.deepEqual(credentials.warnings, []);
  });

  test('sends a token, a password and impersonation headers', async () => {
    assert.deepEqual(await headersOf({ token: 't\n' }), { authorization: 'Bearer t' });
    assert.deepEqual(await headersOf({ username: 'u', password: 'p' }), { authorization: 'Basic dTpw' });
    const impersonated = {
      token: 't',
      as: 'jane',
      'as-groups': ['a', 'b'],
      'as-user-extra': { 'example.org/scope': ['x'] },
    };
    assert.deepEqual(await headersOf(impersonated), {
      authorization: 'Bearer t',
      'impersonate-user': 'jane',
      'impersonate-group': ['a', 'b'],
      'impersonate-extra-example.org%2Fscope': ['x'],
    });
  });

  test('refuses impersonated groups without an impersonated user', async () => {
    const file = await kubeconfig({ token: 't', 'as-groups': ['a'] });
    assert.match(await credentialProblem({ kubeconfig: file, env: {} }), /no user \("as"\)/);
  });

  test('reads a replaced token file again, and prefers it to an inline token', async () => {
    const tokenFile = await write('first\n');
    const credentials = await loadCredentials({ kubeconfig: await kubeconfig({ tokenFile, token: 'x' }), env: {} });
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer first' });
    await writeFile(tokenFile, 'the second one\n');
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer the second one' });
  });

  test('takes over a token and a certificate that were renewed in the kubeconfig itself, after a 401', async (t) => {
    await using server = await startApiServer({ token: 'first' });
    const written = (user: object): Promise<string> => kubeconfig(user, { server: server.url });
    const file = await written({ token: 'first' });
    const credentials = await loadCredentials({ kubeconfig: file, env: {} });
    const api = createApiClient(credentials);
    t.after(() => api.close());
    assert.equal((await api.request('GET', '/version')).status, 200);

    server.rotateToken('second');
    await writeFile(file, '{ half written');
    assert.equal((await api.request('GET', '/version')).status, 401);
    const renewed = { token: 'second', 'client-certificate-data': btoa('cert'), 'client-key-data': btoa('key') };
    // In another window, somebody has switched to a context that this process does not use.
    const text = await readFile(await written(renewed), 'utf8');
    await writeFile(file, text.replace('"current-context":"main"', '"current-context":"other"'));
    credentials.refresh();
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer second' });
    assert.deepEqual(await credentials.tls(), { cert: 'cert', key: 'key' });
  });

  test('does not read a pipe again, which would wait for its writer', async () => {
    const pipe = pathOf('pipe');
    execFileSync('mkfifo', [pipe]);
    const written = readFile(await kubeconfig({ token: 'first' }), 'utf8').then((text) => writeFile(pipe, text));
    const credentials = await loadCredentials({ kubeconfig: pipe, env: {} });
    await written;
    credentials.refresh();
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer first' });
  });

  test('keeps its token when the kubeconfig names another server', async () => {
    const file = await kubeconfig({ token: 'first' });
    const credentials = await loadCredentials({ kubeconfig: file, env: {} });
    await writeFile(file, (await readFile(file, 'utf8')).replace('first', 'not for you').replace('6443', '6444'));
    credentials.refresh();
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer first' });
  });

  test('returns the same TLS options until one of their files changes', async () => {
    const ca = await write('CA 1');
    const file = await kubeconfig(
      { 'client-certificate-data': btoa('cert'), 'client-key-data': btoa('key') },
      { 'certificate-authority': ca, 'tls-server-name': 'api' },
    );
    const credentials = await loadCredentials({ kubeconfig: file, env: {} });
    const first = await credentials.tls();
    assert.deepEqual(first, { ca: 'CA 1', cert: 'cert', key: 'key', servername: 'api' });
    assert.equal(await credentials.tls(), first);
    await writeFile(ca, 'CA 1 and 2');
    assert.equal((await credentials.tls()).ca, 'CA 1 and 2');
  });

  test('sends nothing while one of its CA, certificate, key and token files is empty', async (t) => {
    await using server = await startApiServer();
    const [ca, cert, key, tokenFile] = [await write('CA'), await write('cert'), await write('key'), await write('me')];
    const user = { 'client-certificate': cert, 'client-key': key, tokenFile };
    const file = await kubeconfig(user, { server: server.url, 'certificate-authority': ca });
    const api = createApiClient(await loadCredentials({ kubeconfig: file, env: {} }));
    t.after(() => api.close());
    for (const emptied of [ca, cert, key, tokenFile]) {
      const before = await readFile(emptied, 'utf8');
      await writeFile(emptied, '\n');
      await assert.rejects(api.request('GET', '/version'), { message: new RegExp(`: ${emptied} is empty$`) });
      await writeFile(emptied, before);
    }
    assert.equal(server.requests.length, 0);
    assert.equal((await api.request('GET', '/version')).status, 200);
  });

  test('warns that the certificate is not checked', async () => {
    const file = await kubeconfig({}, { 'insecure-skip-tls-verify': true });
    const credentials = await loadCredentials({ kubeconfig: file, env: {} });
    assert.match(credentials.warnings[0] ?? '', /127\.0\.0\.1:6443 is not checked/);
    assert.equal((await credentials.tls()).rejectUnauthorized, false);
  });

  test('uses a given server, token and CA instead of a kubeconfig, and reads the token file again', async () => {
    const [caFile, tokenFile] = [await write('CA 1'), await write('token-1\n')];
    const direct = { server: 'https://api.example:6443', token: undefined, tokenFile, caFile, insecure: false };
    const env = { KUBECONFIG: '/none', KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' };
    const credentials = await loadCredentials({ direct, env });
    assert.equal(credentials.clusterName, 'api.example:6443');
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer token-1' });
    assert.deepEqual(await credentials.tls(), { ca: 'CA 1' });
    await writeFile(tokenFile, 'token-2-renewed\n');
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer token-2-renewed' });

    const open = { ...direct, token: 'inline', tokenFile: undefined, caFile: undefined, insecure: true };
    const loud = await loadCredentials({ direct: open, env });
    assert.deepEqual(await loud.headers(), { authorization: 'Bearer inline' });
    assert.equal((await loud.tls()).rejectUnauthorized, false);
    assert.equal(loud.warnings.length, 1);
  });

  test('refuses a certificate without its key', async () => {
    const file = await kubeconfig({ 'client-certificate-data': btoa('cert') });
    assert.match(await credentialProblem({ kubeconfig: file, env: {} }), /needs both a client certificate and its key/);
  });

  test('uses an OIDC token that has not expired', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `${part({ alg: 'none' })}.${part({ exp: 32_503_680_000 })}.x`;
    const user = { 'auth-provider': { name: 'oidc', config: { 'id-token': token } } };
    assert.deepEqual(await headersOf(user), { authorization: `Bearer ${token}` });
  });

  test('names the successor of an auth-provider that gives no token', async () => {
    await assert.rejects(headersOf({ 'auth-provider': { name: 'gcp', config: {} } }), {
      message:
        'The auth-provider "gcp" of user "me" gave no token (Token is expired!); use gke-gcloud-auth-plugin (exec) instead',
    });
    await assert.rejects(headersOf({ 'auth-provider': { name: 'oidc', config: {} } }), {
      message: 'The auth-provider "oidc" of user "me" gave no token; use a credential plug-in (exec) instead',
    });
  });

  test('takes an empty field for an absent one', async () => {
    const cluster = { 'proxy-url': '', 'certificate-authority-data': null, 'tls-server-name': null };
    const user = { token: 't', tokenFile: '', as: null, 'client-certificate': '', 'client-key-data': null };
    const file = await kubeconfig(user, cluster);
    const credentials = await loadCredentials({ kubeconfig: file, env: {} });
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer t' });
    assert.deepEqual(await credentials.tls(), {});
    assert.equal(credentials.proxy, undefined);
  });

  test('accepts a user without fields: nobody in particular', async () => {
    const cluster = '{name: k, cluster: {server: "http://127.0.0.1:6443"}}';
    for (const user of ['{name: me}', '{name: me, user: }']) {
      const context = '{name: main, context: {cluster: k, user: me}}';
      const file = await write(
        `current-context: main\nclusters: [${cluster}]\nusers: [${user}]\ncontexts: [${context}]`,
      );
      assert.deepEqual(await (await loadCredentials({ kubeconfig: file, env: {} })).headers(), {});
    }
  });

  test('refuses data that are not base64: nothing of them might be left', async () => {
    const noCa = await kubeconfig({}, { 'certificate-authority-data': '!!!' });
    assert.match(
      await credentialProblem({ kubeconfig: noCa, env: {} }),
      /^The certificate-authority-data of context "main" in \S+ must be base64$/,
    );
    const nobody = await kubeconfig({ 'client-certificate-data': '!!!', 'client-key-data': '!!!' });
    assert.match(
      await credentialProblem({ kubeconfig: nobody, env: {} }),
      /^The client-certificate-data of user "me" of context "main" in \S+ must be base64$/,
    );
    const folded = await kubeconfig({}, { 'certificate-authority-data': `${btoa('C')}\n` });
    assert.deepEqual(await (await loadCredentials({ kubeconfig: folded, env: {} })).tls(), { ca: 'C' });
  });

  test('takes a server without a scheme as kubectl does: HTTPS only if something in the file is for TLS', async () => {
    const serverOf = async (user: object, cluster: object) => {
      const file = await kubeconfig(user, { server: 'localhost:8001', ...cluster });
      return (await loadCredentials({ kubeconfig: file, env: {} })).server.href;
    };
    assert.equal(await serverOf({}, {}), 'http://localhost:8001/');
    const certificate = { 'client-certificate-data': btoa('C'), 'client-key-data': btoa('K') };
    assert.equal(await serverOf(certificate, {}), 'https://localhost:8001/');
    for (const tls of [{ 'certificate-authority-data': btoa('C') }, { 'insecure-skip-tls-verify': true }])
      assert.equal(await serverOf({}, tls), 'https://localhost:8001/');
  });

  test('refuses a server or proxy of another scheme', async () => {
    const server = await kubeconfig({}, { server: 'ftp://127.0.0.1' });
    assert.match(
      await credentialProblem({ kubeconfig: server, env: {} }),
      /^The server of .* must be a URL with http, https: current value is "ftp:\/\/127\.0\.0\.1"$/,
    );
    const proxy = await kubeconfig({}, { 'proxy-url': 'ftp://127.0.0.1' });
    assert.match(
      await credentialProblem({ kubeconfig: proxy, env: {} }),
      /must be a URL with http, https, socks5: current/,
    );
  });

  test('shows no password of a malformed proxy-url', async () => {
    const broken = await kubeconfig({}, { 'proxy-url': 'http://me:c4nary@proxy.example:99999' });
    assert.match(
      await credentialProblem({ kubeconfig: broken, env: {} }),
      /^The proxy-url of context .* must be a URL$/,
    );
  });

  test('prefers the proxy of the kubeconfig to that of the environment', async () => {
    const env = { HTTPS_PROXY: 'http://proxy.example:3128' };
    const server = 'https://api.example';
    const own = await kubeconfig({}, { server, 'proxy-url': 'http://own.example:1' });
    assert.equal((await loadCredentials({ kubeconfig: own, env })).proxy?.host, 'own.example:1');
    const none = await kubeconfig({}, { server });
    assert.equal((await loadCredentials({ kubeconfig: none, env })).proxy?.host, 'proxy.example:3128');
  });
});

describe('loadCredentials() looking for kubeconfigs', () => {
  test('merges the files of KUBECONFIG: the first value wins, and paths are relative to their own file', async () => {
    await write('from b', 'b/token');
    const first = await write('current-context: main\nusers: [{name: me, user: {tokenFile: token}}]', 'b/config');
    const second = await kubeconfig({ token: 'of the second' });
    const env = { KUBECONFIG: [pathOf('missing'), first, second].join(delimiter) };
    assert.deepEqual(await (await loadCredentials({ env })).headers(), { authorization: 'Bearer from b' });
  });

  test('uses ~/.kube/config by default', async () => {
    const config = await readFile(await kubeconfig({ token: 'home' }), 'utf8');
    await write(config, 'home/.kube/config');
    const credentials = await loadCredentials({ env: { HOME: pathOf('home') } });
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer home' });
  });

  test('names the places searched when there is no kubeconfig', async () => {
    // `kubeconfig = ":"` in the file is an empty list, too.
    for (const [kubeconfig, from] of [
      [undefined, ' (from KUBECONFIG)'],
      ['', ''],
    ] as const) {
      const problem = await credentialProblem({ kubeconfig, env: { HOME: '/nowhere', KUBECONFIG: ':' } });
      assert.ok(problem.startsWith(`No kubeconfig: looked for nothing, as the list is empty${from};`), problem);
    }
    assert.equal(
      await credentialProblem({ env: { HOME: '/nowhere' } }),
      'No kubeconfig: looked for /nowhere/.kube/config; and this is not a pod (KUBERNETES_SERVICE_HOST is not set); name one with --kubeconfig or KUBECONFIG',
    );
    assert.match(await credentialProblem({ env: { KUBECONFIG: '/a:/b' } }), /looked for \/a, \/b \(from KUBECONFIG\)/);
    assert.match(await credentialProblem({ kubeconfig: '/c', env: {} }), /looked for \/c;/);
  });

  test('names the available contexts when the wanted one is missing', async () => {
    const file = await kubeconfig({});
    assert.match(
      await credentialProblem({ kubeconfig: file, context: 'mian', env: {} }),
      /it has "main"; did you mean "main"\?$/,
    );
    const none = await write('contexts: []');
    assert.match(
      await credentialProblem({ kubeconfig: none, env: {} }),
      /has no current context; choose one with --context: it has none$/,
    );
  });

  test('quotes nothing from a broken kubeconfig', async () => {
    const file = await write('users:\n- name: me\n  user: {token: hunter2\n');
    const problem = await credentialProblem({ kubeconfig: file, env: {} });
    assert.match(problem, /^Cannot read kubeconfig .* in line \d+$/);
    assert.doesNotMatch(problem, /hunter2/);
    const alias = await write('users:\n- name: me\n  user: {token: *hunter2}\n');
    assert.match(
      await credentialProblem({ kubeconfig: alias, env: {} }),
      /^Cannot read kubeconfig \S+: a value that begins with \* needs quotes around it$/,
    );
  });

  test('names a token or password that YAML reads as a number, without showing it', async () => {
    for (const user of ['token: 12345', 'password: 1e3']) {
      const file = await write(`users:\n- name: me\n  user: {${user}}\n`);
      assert.match(
        await credentialProblem({ kubeconfig: file, env: {} }),
        /: users\[0\]\.user\.(token|password): Invalid input: expected string, received number$/,
      );
    }
  });

  test('emits no process warning about a password that looks like a YAML tag', async (t) => {
    const warned = t.mock.method(process, 'emitWarning', () => undefined);
    const file = await write('users:\n- name: me\n  user: {password: !hunter2}\n');
    await credentialProblem({ kubeconfig: file, env: {} });
    assert.equal(warned.mock.callCount(), 0);
  });
});

describe('loadCredentials() in a pod', () => {
  const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' };
  let serviceAccountDir = '';
  before(async () => {
    serviceAccountDir = pathOf('serviceaccount');
    await write('CA', 'serviceaccount/ca.crt');
    await write('shop', 'serviceaccount/namespace');
  });

  test('uses the service account, and reads its token again after the kubelet replaced it', async () => {
    const token = await write('one', 'serviceaccount/token');
    const credentials = await loadCredentials({ env, serviceAccountDir });
    assert.equal(credentials.server.href, 'https://10.0.0.1/');
    assert.equal(credentials.clusterName, 'in-cluster');
    assert.equal(credentials.namespace, 'shop');
    assert.deepEqual(await credentials.tls(), { ca: 'CA' });
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer one' });
    await writeFile(token, 'another');
    assert.deepEqual(await credentials.headers(), { authorization: 'Bearer another' });
  });

  test('prefers an explicit kubeconfig', async () => {
    const file = await kubeconfig({ token: 'asked' });
    for (const options of [{ kubeconfig: file, env }, { env: { ...env, KUBECONFIG: file } }]) {
      const credentials = await loadCredentials({ ...options, serviceAccountDir });
      assert.deepEqual(await credentials.headers(), { authorization: 'Bearer asked' });
    }
  });

  test('writes an IPv6 address in brackets', async () => {
    const credentials = await loadCredentials({
      env: { ...env, KUBERNETES_SERVICE_HOST: 'fd00::1' },
      serviceAccountDir,
    });
    assert.equal(credentials.server.hostname, '[fd00::1]');
  });
});
