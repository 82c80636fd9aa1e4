/** Which proxy a request goes through, according to the environment variables that curl, Go and others read, and how it is asked. */
import { BlockList, isIP } from 'node:net';
import { Pool, type ProxyAgent } from 'undici';
import { ConfigError } from './errors.ts';
import { isLoopback } from './loopback.ts';

/**
 * The proxy for `target` according to HTTPS_PROXY, HTTP_PROXY and NO_PROXY (lower case wins), or undefined to connect directly.
 * As in Go, loopback requests never use a proxy, and NO_PROXY takes hosts, domains (`.corp`, `*.corp`), addresses, each
 * with or without a port, CIDR ranges and `*`.
 * @throws ConfigError if the variable is not a usable proxy URL
 */
export function proxyFromEnv(target: URL, env: NodeJS.ProcessEnv): URL | undefined {
  const read = (name: string): string => env[name.toLowerCase()] || env[name] || '';
  const variable = target.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const proxy = read(variable);
  if (proxy === '' || isLoopback(bareHost(target)) || isExcluded(target, read('NO_PROXY'))) return undefined;
  const url = URL.parse(proxy.includes('://') ? proxy : `http://${proxy}`);
  if (url !== null && isUsable(url)) return url;
  // Not shown: a proxy's URL may hold a password.
  const expected = 'the URL of a proxy, such as http://proxy.example:3128; write a "%" in its password as %25';
  throw new ConfigError([`The variable ${variable} must be ${expected}`]);
}

function isUsable({ protocol, username, password }: URL): boolean {
  try {
    decodeURIComponent(`${username}:${password}`);
    return /^(?:https?|socks5?):$/.test(protocol);
  } catch {
    return false;
  }
}

function isExcluded(target: URL, list: string): boolean {
  const host = bareHost(target);
  const port = target.port || (target.protocol === 'https:' ? '443' : '80');
  return list
    .split(/[,\s]+/)
    .map((entry) => entry.toLowerCase())
    .some((entry) => entry === '*' || matchesEntry(entry, host, port));
}

function matchesEntry(entry: string, host: string, port: string): boolean {
  const [name = '', entryPort = port] = splitHostPort(entry);
  if (name === '' || entryPort !== port) return false;
  const [address = '', prefix] = name.split('/');
  const family = isIP(address);
  if (prefix !== undefined || family !== 0) return inRange(address, Number(prefix ?? (family === 4 ? 32 : 128)), host);
  const domain = name.replace(/^\*?\./, '');
  return host === name || host.endsWith(`.${domain}`);
}

/** Host, and port if the entry names one. */
function splitHostPort(entry: string): readonly (string | undefined)[] {
  const [, name = entry, port] = (isIP(entry) === 6 ? undefined : /^(.*?)(?::(\d+))?$/.exec(entry)) ?? [];
  return [bare(name), port];
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

function bareHost(target: URL): string {
  return bare(target.hostname.toLowerCase());
}

/** Without the brackets of an IPv6 address or the trailing dot of a fully qualified name. */
function bare(host: string): string {
  return host.replace(/^\[|\]$|\.$/g, '');
}

/** For a ProxyAgent: the connections to the proxy, which is asked for a tunnel and has this long to answer. */
export function tunnelsWithin(headersTimeout: number): NonNullable<ProxyAgent.Options['clientFactory']> {
  return (origin, options) => new Pool(origin, { ...options, headersTimeout });
}
