/**
 * How to reach a cluster, and as whom: from a kubeconfig, or from the service account of the pod. Tokens, certificates and CAs
 * are read again when their files change. @kubernetes/client-node parses kubeconfigs (see kubeconfig.ts for how little of it
 * is loaded).
 */
import { createHash } from 'node:crypto';
import type { ConnectionOptions } from 'node:tls';
import type { DirectAccess } from '../config/config.ts';
import { ConfigError, toError } from '../errors.ts';
import { FreshFile } from '../fresh-file.ts';
import { proxyFromEnv } from '../proxy.ts';
import type { Access } from './access.ts';
import { bearer, inline, type Headers } from './identity.ts';
import { SERVICE_ACCOUNT_DIR, serviceAccount } from './in-cluster.ts';

/** TLS options for connections to the API server. */
export type ConnectOptions = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized'>;

export interface Credentials {
  /** May have a path, as behind a gateway: `https://rancher.example/k8s/clusters/c-1`. */
  readonly server: URL;
  /** The kubeconfig's name of the cluster, or `in-cluster`. */
  readonly clusterName: string;
  /** The namespace of the context, or of the pod. */
  readonly namespace: string | undefined;
  /** SHA-256 of the CA as it was at the start, hexadecimal; of the empty string if the system's CAs are used. */
  readonly caFingerprint: string;
  /** The kubeconfig's `proxy-url`, else from HTTPS_PROXY and NO_PROXY. */
  readonly proxy: URL | undefined;
  /** Warnings for the user at the start, such as that the certificate is not checked. */
  readonly warnings: readonly string[];
  /** The current identity; to be called for each request. */
  headers(): Promise<Headers>;
  /** Returns the same object until something in it changes. */
  tls(): Promise<ConnectOptions>;
  /** For after a 401: reads files and the kubeconfig again, and runs the plug-in again. */
  refresh(): void;
  /** Ends a running plug-in; nothing may be called afterwards. */
  close(): void;
}

export interface CredentialOptions {
  /** A path, or several as in KUBECONFIG. Undefined: KUBECONFIG, the service account in a pod, then `~/.kube/config`. */
  readonly kubeconfig?: string | undefined;
  /** Undefined: the kubeconfig's current context. */
  readonly context?: string | undefined;
  /** Used instead of any other source of credentials. */
  readonly direct?: DirectAccess | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** @default '/var/run/secrets/kubernetes.io/serviceaccount' */
  readonly serviceAccountDir?: string;
}

/**
 * Finds credentials; does not contact a server or run a plug-in yet.
 * @throws ConfigError naming the places searched, or what is wrong with the kubeconfig.
 */
export async function loadCredentials(options: CredentialOptions): Promise<Credentials> {
  const { env, context, direct, serviceAccountDir = SERVICE_ACCOUNT_DIR } = options;
  const requested = options.kubeconfig ?? (env['KUBECONFIG'] || undefined);
  const access =
    (direct === undefined ? undefined : directAccess(direct)) ??
    (requested === undefined && context === undefined ? await serviceAccount(env, serviceAccountDir) : undefined) ??
    (await (await import('./kubeconfig.ts')).kubeconfigAccess({ kubeconfig: options.kubeconfig, context, env }));
  const ca = await readCa(access);
  return new LiveCredentials(access, ca, access.proxy ?? proxyFromEnv(access.server, env));
}

function directAccess({ server, token, tokenFile, caFile, insecure }: DirectAccess): Access {
  const url = new URL(server);
  const material = token === undefined ? tokenFile && new FreshFile(tokenFile) : inline(token);
  return {
    server: url,
    clusterName: url.host,
    namespace: undefined,
    ca: caFile === undefined ? undefined : new FreshFile(caFile),
    identities: material ? [bearer(material)] : [],
    skipTlsVerify: insecure,
  };
}

async function readCa({ ca, clusterName }: Access): Promise<string> {
  try {
    return (await ca?.read()) ?? '';
  } catch (cause) {
    const why = toError(cause).message;
    throw new ConfigError([`Cannot read the certificate authority of cluster "${clusterName}": ${why}`], { cause });
  }
}

class LiveCredentials implements Credentials {
  readonly server: URL;
  readonly clusterName: string;
  readonly namespace: string | undefined;
  readonly caFingerprint: string;
  readonly proxy: URL | undefined;
  readonly warnings: readonly string[];
  #access: Access;
  #renewal: Promise<void> | undefined;
  #isClosed = false;
  #tls: ConnectOptions = {};

  constructor(access: Access, ca: string, proxy: URL | undefined) {
    this.#access = access;
    this.server = access.server;
    this.clusterName = access.clusterName;
    this.namespace = access.namespace;
    this.caFingerprint = createHash('sha256').update(ca).digest('hex');
    this.proxy = proxy;
    this.warnings =
      access.skipTlsVerify === true
        ? [
            `The certificate of ${access.server.host} is not checked (insecure): anyone on the network path can read everything`,
          ]
        : [];
  }

  async headers(): Promise<Headers> {
    await this.#renewal;
    const parts = await Promise.all(this.#access.identities.map(async (identity) => identity.headers?.()));
    return Object.assign({}, ...parts) as Headers;
  }

  async tls(): Promise<ConnectOptions> {
    await this.#renewal;
    const { ca, identities, skipTlsVerify, tlsServerName } = this.#access;
    const certificates = await Promise.all(identities.map(async (identity) => identity.certificate?.()));
    const next: ConnectOptions = {
      ...(ca === undefined ? {} : { ca: await ca.read() }),
      ...certificates.find((certificate) => certificate !== undefined),
      ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
      ...(skipTlsVerify === true ? { rejectUnauthorized: false } : {}),
    };
    if (JSON.stringify(next) !== JSON.stringify(this.#tls)) this.#tls = next;
    return this.#tls;
  }

  refresh(): void {
    this.#access.ca?.invalidate?.();
    for (const identity of this.#access.identities) identity.invalidate?.();
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined;
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const identity of this.#access.identities) identity.close?.();
  }

  /** Takes over what a login or a renewal has written into the kubeconfig itself, such as a token. */
  async #renew(): Promise<void> {
    // A kubeconfig that cannot be read is perhaps being written: the 401 is reported, and the next one reads it again.
    const next = await this.#access.renew?.().catch(() => undefined);
    if (next === undefined || this.#isClosed) return;
    const { identities } = this.#access;
    this.#access = { ...this.#access, ca: next.ca, identities: next.identities };
    for (const identity of identities) identity.close?.();
  }
}
