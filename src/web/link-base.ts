/** Where the links of the page lead. */
import type { Context } from 'hono';

const PREFIX = /^(\/[\w.~-]+)+$/;

/**
 * The configured base path, behind the prefix that a proxy has taken off and told (`X-Forwarded-Prefix`). It comes back to who
 * sent it and to nobody else: answers are not stored.
 */
export function linkBase(c: Context, basePath: string): string {
  const told = c.req.header('x-forwarded-prefix')?.replace(/\/$/, '') ?? '';
  return PREFIX.test(told) ? told + basePath : basePath;
}
