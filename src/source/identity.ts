/** Who we are to the API server. A kubeconfig user may have several of these, such as a certificate and a token. */
import { FreshFile } from '../fresh-file.ts';

export type Headers = Readonly<Record<string, string | string[]>>;

export interface ClientCertificate {
  /** PEM. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
}

export interface Identity {
  headers?(): Promise<Headers>;
  certificate?(): Promise<ClientCertificate | undefined>;
  /** For after a 401: forgets what was cached. */
  invalidate?(): void;
  /** Ends anything that is still running; nothing is called afterwards. */
  close?(): void;
}

/** PEM or a token, either in the kubeconfig itself or in a file that may be replaced. */
export interface Material {
  read(): Promise<string>;
  invalidate?(): void;
}

/** Text that does not change. */
export function inline(text: string): Material {
  return { read: () => Promise.resolve(text) };
}

/** `data` is base64 as in a kubeconfig, and wins over a file, as in client-go. */
export function material(data: string | undefined, file: string | undefined): Material | undefined {
  if (data !== undefined && data !== '') return inline(Buffer.from(data, 'base64').toString('utf8'));
  return file === undefined || file === '' ? undefined : new FreshFile(file);
}

/** `Authorization: Bearer`. A token file often ends with a line feed, which no header may hold. */
export function bearer(token: Material): Identity {
  return {
    headers: async () => ({ authorization: `Bearer ${(await token.read()).trim()}` }),
    invalidate: () => token.invalidate?.(),
  };
}

export function basic(username: string, password: string): Identity {
  const header = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return { headers: () => Promise.resolve({ authorization: header }) };
}

export function clientCertificate(cert: Material, key: Material): Identity {
  return {
    certificate: async () => ({ cert: await cert.read(), key: await key.read() }),
    invalidate: () => {
      cert.invalidate?.();
      key.invalidate?.();
    },
  };
}
