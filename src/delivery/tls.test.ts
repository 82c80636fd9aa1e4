import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { createServer, type ServerOptions } from 'node:https';
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { after, before, describe, test, type TestContext } from 'node:test';
import { PassThrough } from 'node:stream';
import { createLogger, transports } from 'winston';
import { codeOf, RetryAfterError } from '../errors.ts';
import { createCertificates, type Certificates } from '../testing/certificates.ts';
import { listening, tunnelTo } from '../testing/listening.ts';
import { receiversFor } from '../testing/test-sink.ts';
import { problemsOfTls, type TlsOptions } from './tls.ts';

let files: Certificates;
before(() => {
  files = createCertificates();
  for (const name of ['ca', 'other']) files.authority(name);
  files.certificate('hook', 'ca', 'hook.test');
  files.certificate('renewed', 'other', 'hook.test');
  files.certificate('me', 'ca');
  files.certificate('me2', 'ca');
});
after(() => files[Symbol.dispose]());

/** A receiver that presents a certificate and answers with the name in ours. */
async function tlsServer(t: TestContext, name = 'hook', options: ServerOptions = {}) {
  const certificate = { cert: files.pem(`${name}.crt`), key: files.pem(`${name}.key`), ca: files.pem('ca.crt') };
  const server = createServer(
    { ...certificate, requestCert: true, rejectUnauthorized: false, ...options },
    (request, response) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate() as {
        readonly subject?: { readonly CN: string };
      };
      response.setHeader('connection', 'close').end(subject?.CN ?? 'nobody');
    },
  );
  return { server, url: new URL(`https://${await listening(t, server)}/x`) };
}

function sender(t: TestContext, url: URL, tls: TlsOptions, env: NodeJS.ProcessEnv = {}) {
  const output = new PassThrough();
  const log = createLogger({ transports: [new transports.Stream({ stream: output })] });
  const receiver = receiversFor(t, { log, env }).receiver({ name: 'hook', url, tls });
  const { signal } = new AbortController();
  return {
    send: async () => (await receiver.send({ body: '{}', idempotencyKey: 'k', signal })).body,
    logged: () => String(output.read() ?? ''),
  };
}

describe('receiver over TLS', () => {
  test('trusts the given CA, verifies the given name, and presents the client certificate', async (t) => {
    const { url } = await tlsServer(t);
    const ours = { certFile: files.path('me.crt'), keyFile: files.path('me.key') };
    const tls = { caFile: files.path('ca.crt'), serverName: 'hook.test' };
    assert.equal(await sender(t, url, tls).send(), 'nobody');
    assert.equal(await sender(t, url, { ...tls, ...ours }).send(), 'me');
  });

  test('an untrusted certificate, or one for another name, defers and names the remedy', async (t) => {
    const { url } = await tlsServer(t);
    const whole = { cert: `${files.pem('hook.crt')}${files.pem('ca.crt')}` };
    const { url: showsCa } = await tlsServer(t, 'hook', whole);
    const { url: selfSigned } = await tlsServer(t, 'ca');
    const unknown = /signed by an unknown authority; set `tls\.caFile` to its CA/;
    const refusals: readonly (readonly [URL, TlsOptions, RegExp])[] = [
      [url, {}, unknown],
      [showsCa, {}, unknown],
      [selfSigned, {}, /is self-signed; set `tls\.caFile` to it/],
      [url, { caFile: files.path('other.crt'), serverName: 'hook.test' }, unknown],
      [url, { caFile: files.path('ca.crt'), serverName: 'wrong.test' }, /altnames/],
      [url, { caFile: files.path('ca.crt') }, /altnames/],
    ];
    for (const [to, tls, why] of refusals) {
      await assert.rejects(sender(t, to, tls).send(), (thrown) => {
        assert.ok(thrown instanceof RetryAfterError);
        assert.match(thrown.message, why);
        return true;
      });
    }
  });

  test('through a proxy, the certificate must match the name in the URL', async (t) => {
    const { url } = await tlsServer(t);
    const HTTPS_PROXY = `http://${await listening(t, tunnelTo(Number(url.port)))}`;
    const caFile = files.path('ca.crt');
    assert.equal(await sender(t, new URL('https://hook.test/x'), { caFile }, { HTTPS_PROXY }).send(), 'nobody');
    await assert.rejects(sender(t, new URL('https://wrong.test/x'), { caFile }, { HTTPS_PROXY }).send(), /altnames/);
  });

  test('an answer through a proxy is attributed to the receiver, as the proxy cannot read it', async (t) => {
    const { server, url } = await tlsServer(t);
    server.removeAllListeners('request').on('request', (_, response) => void response.writeHead(403).end('no'));
    const HTTPS_PROXY = `http://${await listening(t, tunnelTo(Number(url.port)))}`;
    const sending = sender(t, new URL('https://hook.test/x'), { caFile: files.path('ca.crt') }, { HTTPS_PROXY }).send();
    await assert.rejects(sending, { message: 'hook (hook.test) answered 403: no' });
  });

  test('insecureSkipVerify accepts any certificate, and logs a warning', async (t) => {
    const { url } = await tlsServer(t);
    const { send, logged } = sender(t, url, { insecureSkipVerify: true });
    assert.match(logged(), /"level":"warn".*TLS verification is off/);
    assert.equal(await send(), 'nobody');
  });

  test('replaced files are used from the next request on', async (t) => {
    const { server, url } = await tlsServer(t);
    for (const file of ['crt', 'key']) copyFileSync(files.path(`me.${file}`), files.path(`live.${file}`));
    copyFileSync(files.path('ca.crt'), files.path('live-ca.crt'));
    const { send } = sender(t, url, {
      caFile: files.path('live-ca.crt'),
      certFile: files.path('live.crt'),
      keyFile: files.path('live.key'),
      serverName: 'hook.test',
    });
    assert.equal(await send(), 'me');
    server.setSecureContext({ cert: files.pem('renewed.crt'), key: files.pem('renewed.key'), ca: files.pem('ca.crt') });
    for (const file of ['crt', 'key']) copyFileSync(files.path(`me2.${file}`), files.path(`live.${file}`));
    writeFileSync(files.path('live-ca.crt'), files.pem('other.crt'));
    assert.equal(await send(), 'me2');
  });

  test('an empty caFile trusts nothing, neither its former CA nor the default ones', async (t) => {
    const usual = getCACertificates();
    t.after(() => setDefaultCACertificates(usual));
    setDefaultCACertificates([files.pem('other.crt')]);
    const { url } = await tlsServer(t, 'renewed');
    const caFile = files.path('emptied.crt');
    copyFileSync(files.path('ca.crt'), caFile);
    const { send } = sender(t, url, { caFile, serverName: 'hook.test' });
    await assert.rejects(send(), { code: 'DEFER' });
    writeFileSync(caFile, '');
    await assert.rejects(send(), { code: 'DEFER', message: /emptied\.crt is empty$/ });
  });

  test('an empty certFile or keyFile defers: no request goes without the client certificate', async (t) => {
    const { url } = await tlsServer(t);
    const [certFile, keyFile] = [files.path('filled.crt'), files.path('filled.key')];
    const { send } = sender(t, url, { caFile: files.path('ca.crt'), certFile, keyFile, serverName: 'hook.test' });
    const fill = () => {
      copyFileSync(files.path('me.crt'), certFile);
      copyFileSync(files.path('me.key'), keyFile);
    };
    for (const [emptied, message] of [
      [certFile, /filled\.crt is empty$/],
      [keyFile, /filled\.key is empty$/],
    ] as const) {
      fill();
      assert.equal(await send(), 'me');
      writeFileSync(emptied, '');
      await assert.rejects(send(), { code: 'DEFER', message });
    }
    fill();
    assert.equal(await send(), 'me');
  });

  test('a missing file defers, and is named', async (t) => {
    const { url } = await tlsServer(t);
    const failure: unknown = await sender(t, url, { caFile: files.path('gone.crt') })
      .send()
      .catch((thrown: unknown) => thrown);
    assert.equal(codeOf(failure), 'DEFER');
    assert.match(String(failure), /ENOENT.*gone\.crt/);
  });
});

describe('problemsOfTls()', () => {
  const found = (options: TlsOptions) =>
    problemsOfTls(options)
      .map(({ option, message }) => `${option} ${message}`)
      .join('; ');

  test('finds problems with the files before anything is sent', () => {
    const [crt, key] = [files.path('me.crt'), files.path('me.key')];
    assert.equal(found({ caFile: files.path('ca.crt'), certFile: crt, keyFile: key }), '');
    assert.equal(found({ certFile: crt }), 'keyFile is missing: certFile needs it');
    assert.equal(found({ keyFile: key }), 'certFile is missing: keyFile needs it');
    assert.match(found({ caFile: files.path('none.crt') }), /^caFile cannot be read \(ENOENT\)$/);
    assert.equal(found({ caFile: key }), 'caFile must hold a certificate in PEM');
    assert.match(
      found({ certFile: crt, keyFile: files.path('me2.key') }),
      /^keyFile must be the key of the certificate in certFile: .*mismatch/,
    );
    writeFileSync(files.path('empty.key'), '');
    assert.equal(found({ certFile: crt, keyFile: files.path('empty.key') }), 'keyFile is empty');
  });
});
