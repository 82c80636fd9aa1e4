/** The OpenAPI document, made from the table of routes, so that it tells of all of them and of no other. */
import { z } from 'zod';
import { VERSION } from '../version.ts';
import { changesQuery } from './changes.ts';
import type { Route } from './routes.ts';

export function openApi(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const { method, path, access, summary } of routes) {
    const place = path.replaceAll(/:(\w+)/g, '{$1}');
    const parameters = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    }));
    (paths[place] ??= {})[method.toLowerCase()] = {
      summary,
      parameters: [...parameters, ...(path === '/api/changes' ? queryParameters() : [])],
      ...(access === 'open' ? { security: [] } : {}),
      responses: { default: { description: 'Errors are {"error": "..."}, or a line of text.' } },
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'watchchain', version: VERSION },
    security: [{ bearer: [] }],
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    paths,
  };
}

function queryParameters(): readonly object[] {
  const { properties = {} } = z.toJSONSchema(changesQuery, { io: 'output', unrepresentable: 'any' });
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', schema }));
}
