/**
 * The Event Controller's settings: an environment variable that is present, even if empty; else a value of `[global]` that is not
 * empty; else the pod's own file; else a default. Without a `[global]` the original uses only the first; we always use all.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ConfigError } from '../../../errors.ts';
import { SERVICE_ACCOUNT_DIR } from '../../../source/in-cluster.ts';
import { literal } from '../../expand.ts';
import { isThere } from '../../paths.ts';
import type { Report } from '../report.ts';

/** The names in the environment; the file has them in lower case. */
export const NAMES = [
  'K8S_API_ENDPOINT',
  'K8S_TOKEN',
  'K8S_NAMESPACED',
  'K8S_NAMESPACE',
  'K8S_API_PATH',
  'K8S_API_GROUP',
  'K8S_API_VERSION',
  'K8S_RESOURCE',
  'K8S_CA',
  'K8S_INSECURE',
  'LOG_LEVEL',
  'WATCHER_PLUGIN',
] as const;
export type Name = (typeof NAMES)[number];

const DEFAULTS: Partial<Readonly<Record<Name, string>>> = {
  K8S_API_ENDPOINT: 'kubernetes.default.svc.cluster.local',
  K8S_NAMESPACED: 'True',
  LOG_LEVEL: 'INFO',
  WATCHER_PLUGIN: 'simple',
};

/** What the kubelet mounts. */
const POD_FILES: Partial<Readonly<Record<Name, string>>> = {
  K8S_TOKEN: 'token',
  K8S_CA: 'ca.crt',
  K8S_NAMESPACE: 'namespace',
};

export interface Setting {
  readonly value: string;
  readonly from: 'environment' | 'file' | 'pod' | 'default';
}

export interface SettingsOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly global: ReadonlyMap<string, string> | undefined;
  /** @default '/var/run/secrets/kubernetes.io/serviceaccount' */
  readonly serviceAccountDir?: string | undefined;
}

export class Settings {
  readonly #options: SettingsOptions;

  constructor(options: SettingsOptions) {
    this.#options = options;
  }

  get(name: Name): Setting {
    const { env, global } = this.#options;
    const given = env[name] ?? (name === 'K8S_CA' ? env['ENV_K8S_CA'] : undefined);
    if (given !== undefined) return { value: given, from: 'environment' };
    const written = global?.get(name.toLowerCase());
    if (written !== undefined && written !== '') return { value: written, from: 'file' };
    const inPod = this.#inPod(name);
    return inPod === undefined ? { value: DEFAULTS[name] ?? '', from: 'default' } : { value: inPod, from: 'pod' };
  }

  value(name: Name): string {
    return this.get(name).value;
  }

  /** Whether the environment or the file sets it. */
  isGiven(name: Name): boolean {
    const { value, from } = this.get(name);
    return value !== '' && (from === 'environment' || from === 'file');
  }

  /** For the token and the CA, the path of the file, which is read again whenever it changes. */
  #inPod(name: Name): string | undefined {
    const file = POD_FILES[name];
    if (file === undefined) return undefined;
    const path = join(this.#options.serviceAccountDir ?? SERVICE_ACCOUNT_DIR, file);
    if (!isThere(path)) return undefined;
    return name === 'K8S_NAMESPACE' ? readFileSync(path, 'utf8').trim() || undefined : path;
  }
}

/** The table `[cluster]`, as a TOML file would hold it. */
export interface ClusterTable {
  readonly server: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly caFile?: string;
  readonly insecure?: true;
}

export function clusterOf(settings: Settings, report: Report): ClusterTable {
  const endpoint = settings.value('K8S_API_ENDPOINT');
  const token = settings.get('K8S_TOKEN');
  const ca = settings.value('K8S_CA');
  const insecure = /^(true|yes|1|on)$/i.test(settings.value('K8S_INSECURE'));
  if (ca === '' && !insecure)
    report.warning(['global', 'k8s_ca'], 'no CA file is set: the server needs a certificate that the system trusts');
  return {
    server: /^https?:\/\//.test(endpoint) ? endpoint : `https://${endpoint}`,
    ...(token.from === 'pod' ? { tokenFile: token.value } : { token: tokenReference(token) }),
    ...(ca === '' ? {} : { caFile: resolve(ca) }),
    ...(insecure ? { insecure } : {}),
  };
}

/** A reference, so that `import` prints no secret that is not in the file. */
function tokenReference({ value, from }: Setting): string {
  return from === 'environment' ? '${K8S_TOKEN}' : literal(value);
}

/**
 * In the Event Controller's order, with its exit codes.
 * @throws ConfigError for the first that is missing
 */
export function checkRequired(settings: Settings, isNamespaced: boolean, file: string): void {
  const missing = (name: Name, what: string, exitCode: number): never => {
    throw new ConfigError([`${what} is not set: export ${name}=..., or set ${name.toLowerCase()}=... in ${file}`], {
      exitCode,
    });
  };
  const isPath = settings.value('K8S_API_PATH') !== '';
  if (!isPath && settings.value('K8S_RESOURCE') === '') missing('K8S_RESOURCE', 'The resource to watch', 31);
  if (!isPath && isNamespaced && settings.value('K8S_NAMESPACE') === '') missing('K8S_NAMESPACE', 'The namespace', 32);
  if (settings.value('K8S_API_ENDPOINT') === '') missing('K8S_API_ENDPOINT', 'The endpoint of the API server', 33);
  if (settings.value('K8S_TOKEN') === '') missing('K8S_TOKEN', 'The token for the API server', 34);
}
