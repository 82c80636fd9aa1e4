/** Certificates for TLS tests, made by openssl in a separate folder. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificates extends Disposable {
  /** The path of `NAME.crt` or `NAME.key`. */
  path(file: string): string;
  /** Its text. */
  pem(file: string): string;
  /** Makes a CA with this name. */
  authority(name: string): void;
  /** Makes a certificate with this name, signed by `by`, for the host `dns` if given. */
  certificate(name: string, by: string, dns?: string): void;
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];

export function createCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'watchchain-tls-'));
  const path = (file: string): string => join(folder, file);
  const request = (name: string, ...args: readonly string[]): void => {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`];
    const all = ['req', '-x509', ...KEY, '-subj', `/CN=${name}`, ...args, ...files];
    execFileSync('openssl', all, { cwd: folder, stdio: ['ignore', 'ignore', 'ignore'] });
  };
  return {
    path,
    pem: (file) => readFileSync(path(file), 'utf8'),
    authority: (name) => request(name),
    certificate(name, by, dns) {
      const host = dns === undefined ? [] : ['-addext', `subjectAltName=DNS:${dns}`];
      request(name, '-CA', `${by}.crt`, '-CAkey', `${by}.key`, ...host);
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}
