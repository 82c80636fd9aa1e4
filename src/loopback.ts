import { isIP } from 'node:net';

/** Whether a host is this machine itself. @param host in lower case, an IPv6 address without its brackets */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
