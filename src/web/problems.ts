/** What several routes answer when they cannot do what was asked. */
import type { Context } from 'hono';
import type { z } from 'zod';

/** The response while the state is not open: an empty list would be a lie. */
export function notRunning(c: Context): Response {
  return c.json({ error: 'the service is not running' }, 503);
}

/** `limit: Too big: expected number to be <=500` */
export function firstProblem({ issues: [issue] }: z.ZodError): string {
  return issue === undefined ? 'cannot be read' : [issue.path.join('.'), issue.message].filter(Boolean).join(': ');
}
