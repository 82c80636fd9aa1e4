/** Files with credentials that others on this machine may read: a reason to warn, not to refuse. */
import { stat } from 'node:fs/promises';
import { SERVICE_ACCOUNT_DIR } from '../source/in-cluster.ts';
import { isTable } from './expand.ts';
import { isThere } from './paths.ts';
import { pathText, type Path } from './problems.ts';

/** Keys of the configuration, and HTTP headers, whose value is a credential; `tokenFile` is none. */
const CREDENTIAL = /(token|passw(or)?d|secrets?|credentials?|authorization|cookie|api-?key|webhookurl)$/i;
const URL_PASSWORD = /^[a-z][a-z+.-]*:\/\/[^/?#@]*:[^/?#@]+@/i;
/** Its keys are kinds, such as `secret`, and its values names. */
const NAMES_ONLY = 'redact';

/** Whether the file itself contains a credential. @param filled paths whose values come from elsewhere */
export function holdsCredentials(value: Readonly<Record<string, unknown>>, filled: readonly Path[]): boolean {
  const expandedPaths = new Set(filled.map(pathText));
  const visit = (inner: unknown, path: Path): boolean => {
    if (Array.isArray(inner)) return inner.some((element, index) => visit(element, [...path, index]));
    if (isTable(inner)) return Object.entries(inner).some(([key, element]) => visit(element, [...path, key]));
    if (typeof inner !== 'string' || inner === '' || expandedPaths.has(pathText(path))) return false;
    const key = String(path.findLast((part) => typeof part === 'string'));
    return (path[0] !== NAMES_ONLY && CREDENTIAL.test(key)) || URL_PASSWORD.test(inner);
  };
  return visit(value, []);
}

/**
 * A line for each file that others may read, with its mode and what to do. Empty in a pod, where Kubernetes mounts files readable
 * by everyone and there is nobody else, and for files without a mode.
 */
export async function exposedFiles(
  files: readonly string[],
  env: NodeJS.ProcessEnv,
  serviceAccountDir: string = SERVICE_ACCOUNT_DIR,
): Promise<readonly string[]> {
  const ownUid = process.getuid?.();
  const isPod = env['KUBERNETES_SERVICE_HOST'] !== undefined || isThere(serviceAccountDir);
  if (ownUid === undefined || isPod) return [];
  const lines = await Promise.all(files.map((file) => describeExposure(file, ownUid)));
  return lines.filter((line) => line !== undefined);
}

/** For a file that we do not own, group access is no exposure: we may be the group, and read it that way. */
async function describeExposure(file: string, ownUid: number): Promise<string | undefined> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return undefined;
  const isOurs = found.uid === ownUid;
  if ((found.mode & (isOurs ? 0o044 : 0o004)) === 0) return undefined;
  const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
  return `${file}: its mode ${mode} lets other users read the credentials in it: chmod ${isOurs ? '600' : 'o='} ${file}`;
}
