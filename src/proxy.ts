/** Which proxy a request goes through, by the variables that curl, Go and everybody else read. */
import { BlockList, isIP } from 'node:net';
import { ConfigError } from './errors.ts';

/**
 * The proxy for `target` by HTTPS_PROXY, HTTP_PROXY and NO_PROXY (lower case wins), or undefined: go directly.
 * As in Go, the loopback never goes through a proxy, and NO_PROXY takes hosts, domains (`.corp`, `*.corp`), `host:port`,
 * addresses, CIDR ranges and `*`.
 * @throws ConfigError when the variable is no URL
 */
export function proxyFromEnv(target: URL, env: NodeJS.ProcessEnv): URL | undefined {
  const read = (name: string): string => env[name.toLowerCase()] || env[name] || '';
  const variable = target.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const proxy = read(variable);
  if (proxy === '' || isLoopback(target) || isExcluded(target, read('NO_PROXY'))) return undefined;
  const url = URL.parse(proxy.includes('://') ? proxy : `http://${proxy}`);
  if (url !== null) return url;
  // Not shown: a proxy's URL may hold a password.
  throw new ConfigError([`The variable ${variable} must be the URL of a proxy`]);
}

function isLoopback(target: URL): boolean {
  const host = bareHost(target);
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function isExcluded(target: URL, list: string): boolean {
  const host = bareHost(target);
  const port = target.port || (target.protocol === 'https:' ? '443' : '80');
  return list
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .some((entry) => entry === '*' || entry === `${host}:${port}` || covers(entry, host));
}

function covers(entry: string, host: string): boolean {
  if (entry === '') return false;
  const [address = '', prefix] = entry.split('/');
  if (prefix !== undefined) return inRange(address, Number(prefix), host);
  const domain = entry.replace(/^\*?\./, '');
  return host === entry || host.endsWith(`.${domain}`) || (host === domain && entry === domain);
}

function inRange(address: string, prefix: number, host: string): boolean {
  const version = isIP(host);
  if (version === 0 || version !== isIP(address) || !Number.isInteger(prefix)) return false;
  if (prefix < 0 || prefix > (version === 4 ? 32 : 128)) return false;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const range = new BlockList();
  range.addSubnet(address, prefix, family);
  return range.check(host, family);
}

/** `URL.hostname` keeps the brackets of an IPv6 address. */
function bareHost(target: URL): string {
  return target.hostname.replace(/^\[|\]$/g, '').toLowerCase();
}
