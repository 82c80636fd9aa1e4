/** The OpenAPI document, made from the table of routes, so that it tells of all of them and of no other. */
import { VERSION } from '../version.ts';
import type { Route } from './route.ts';

export function openApi(routes: readonly Route[], basePath: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const place = route.path.replaceAll(/:(\w+)/g, '{$1}');
    (paths[place] ??= {})[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'watchchain', version: VERSION },
    servers: [{ url: basePath === '' ? '/' : basePath }],
    security: [{ bearer: [] }],
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    paths,
  };
}

function operation({ method, path, access, summary, query = {}, body }: Route): object {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: TEXT }));
  const inQuery = Object.entries(query).map(([name, schema]) => ({ name, in: 'query', schema }));
  return {
    summary,
    parameters: [...inPath, ...inQuery, ...(method === 'POST' ? [WRITE] : [])],
    ...(access === 'read' || access === 'write' ? {} : { security: [] }),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    responses: { default: { description: 'Errors are {"error": "..."}, or a line of text.' } },
  };
}

const TEXT = { type: 'string' };
const WRITE = {
  name: 'x-watchchain',
  in: 'header',
  required: true,
  description: 'Any value: a page of another site cannot send it.',
  schema: TEXT,
};
