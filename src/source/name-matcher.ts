/** Which names are those of secrets. */
import { RE2JS } from 're2js';

/** Secrets by the last word of the name: `JWT_ISSUER`, `SSH_KEY_PATH` and `WEBHOOK_URL_PREFIX` are about one, and are none. */
const LAST_WORDS = [
  'creds',
  '([^a-z]|^)cred',
  'passcode',
  'dsn',
  'jwt',
  '[._-]pat',
  'basic[._-]?auth',
  'docker[._-]?auth([._-]?config)?',
  'dockerconfigjson',
  'conn[._-]?str(ing)?',
  'webhook[._-]?ur[il]',
  // Those of TLS, clients and servers are missing, as their values are paths of files as a rule.
  '(ssh|gpg|pgp|rsa|aes|hmac|jwt|fernet|unseal|session|cookie|service|deploy|shared|licen[cs]e|app)[._-]?key',
].join('|');

/** Names of environment variables that hold secrets; `[redact] envNames` adds to them. */
export const SECRET_ENV_NAMES: readonly string[] = [
  '(?i)passw|passphrase|([^a-z]|^|db)pass([^a-z]|$)|pwd|secret|token|credential|connection_?string|(api|access|private|signing|encryption|master|auth|account)[._-]?key',
  // A number or an encoding may follow.
  String.raw`(?i)(${LAST_WORDS})s?([._-]?(\d+|b64|base64|json|pem|data|value))*$`,
];

/** How many names to cache. */
const MAX_NAMES = 10_000;

/** Whether a name, in any case, is that of a secret. RE2 takes microseconds and names repeat, so answers are cached. */
export function nameMatcher(sources: readonly string[]): (name: string) => boolean {
  const patterns = sources.map((source) => RE2JS.compile(source, RE2JS.CASE_INSENSITIVE));
  const cache = new Map<string, boolean>();
  return (name) => {
    const cached = cache.get(name);
    if (cached !== undefined) return cached;
    const isSecret = patterns.some((pattern) => pattern.test(name));
    if (cache.size >= MAX_NAMES) cache.clear();
    cache.set(name, isSecret);
    return isSecret;
  };
}
