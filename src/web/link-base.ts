/** The prefix of the page's links. */
import type { Context } from 'hono';

const PREFIX = /^(\/[\w.~-]+)+$/;

/**
 * The configured base path, after the prefix that a proxy has stripped and announced (`X-Forwarded-Prefix`). Only the sender sees
 * the header's value again, since responses are not cached.
 */
export function linkBase(c: Context, basePath: string): string {
  const told = c.req.header('x-forwarded-prefix')?.replace(/\/$/, '') ?? '';
  return PREFIX.test(told) ? told + basePath : basePath;
}
