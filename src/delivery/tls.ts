/** TLS settings for one receiver: its CA and our certificate, reloaded when a file is replaced. */
import { createSecureContext } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { codeOf, toError } from '../errors.ts';
import { FreshFile } from '../fresh-file.ts';

/** Paths are absolute. */
export interface TlsOptions {
  /** PEM, used instead of the CAs that Node trusts. */
  readonly caFile?: string | undefined;
  /** PEM, our own certificate; needs its key. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** The name that the receiver's certificate must have, if not the host's. */
  readonly serverName?: string | undefined;
  /** Accepts any certificate: anyone in between can read and change what is sent. */
  readonly insecureSkipVerify?: boolean | undefined;
}

const FILES = ['caFile', 'certFile', 'keyFile'] as const;
type PerFile<T> = Partial<Record<(typeof FILES)[number], T | undefined>>;

/** The options for Node's `tls.connect`. */
export interface SecureSettings {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** Problems with the files, by option: each must be readable and PEM, and the key must fit the certificate. */
export function problemsOfTls(options: TlsOptions): readonly { readonly option: string; readonly message: string }[] {
  const { certFile, keyFile } = options;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    const [given, missing] = certFile === undefined ? ['keyFile', 'certFile'] : ['certFile', 'keyFile'];
    return [{ option: missing, message: `is missing: ${given} needs it` }];
  }
  const texts: PerFile<string> = {};
  for (const option of FILES) {
    const path = options[option];
    if (path === undefined) continue;
    try {
      texts[option] = readFileSync(path, 'utf8');
    } catch (thrown) {
      return [{ option, message: `cannot be read (${codeOf(thrown) ?? toError(thrown).message})` }];
    }
  }
  for (const option of ['caFile', 'certFile'] as const) {
    const text = texts[option];
    if (text !== undefined && !isCertificate(text)) return [{ option, message: 'must hold a certificate in PEM' }];
  }
  if (texts.keyFile?.trim() === '') return [{ option: 'keyFile', message: 'is empty' }];
  try {
    createSecureContext(contextOf(texts));
    return [];
  } catch (thrown) {
    return [
      { option: 'keyFile', message: `must be the key of the certificate in certFile: ${toError(thrown).message}` },
    ];
  }
}

/** The files of one receiver, read again when they are replaced. */
export class TlsFiles {
  readonly #options: TlsOptions;
  readonly #files: PerFile<FreshFile> = {};
  #texts = '';
  #current: SecureSettings = {};

  constructor(options: TlsOptions) {
    this.#options = options;
    for (const name of FILES) {
      const path = options[name];
      if (path !== undefined) this.#files[name] = new FreshFile(path);
    }
  }

  /** Returns the same object until a file changes. @throws if one cannot be read, or does not contain what it should */
  async read(): Promise<SecureSettings> {
    const [caFile, certFile, keyFile] = await Promise.all(FILES.map(async (name) => this.#files[name]?.read()));
    const texts = JSON.stringify([caFile, certFile, keyFile]);
    if (texts === this.#texts) return this.#current;
    // Given an empty CA file Node would trust the default CAs, and with an empty certificate it would not send ours.
    if (caFile !== undefined && !isCertificate(caFile)) throw new Error('caFile holds no certificate in PEM');
    if (certFile !== undefined && !isCertificate(certFile)) throw new Error('certFile holds no certificate in PEM');
    this.#texts = texts;
    const { serverName, insecureSkipVerify } = this.#options;
    this.#current = {
      ...contextOf({ caFile, certFile, keyFile }),
      ...(serverName === undefined ? {} : { servername: serverName }),
      ...(insecureSkipVerify === true ? { rejectUnauthorized: false } : {}),
    };
    return this.#current;
  }
}

function contextOf({ caFile, certFile, keyFile }: Readonly<PerFile<string>>): SecureSettings {
  return {
    ...(caFile === undefined ? {} : { ca: caFile }),
    ...(certFile === undefined ? {} : { cert: certFile }),
    ...(keyFile === undefined ? {} : { key: keyFile }),
  };
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).fingerprint256 !== '';
  } catch {
    return false;
  }
}
