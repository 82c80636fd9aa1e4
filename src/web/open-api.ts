/** The OpenAPI document, generated from the table of routes, so that it has exactly these. */
import { VERSION } from '../version.ts';
import { responseSchemas } from './response-schemas.ts';
import { WRITE_HEADER } from './guard.ts';
import type { Route } from './route.ts';

export function openApi(routes: readonly Route[], basePath: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const pathTemplate = route.path.replaceAll(/:(\w+)/g, '{$1}');
    (paths[pathTemplate] ??= {})[route.method.toLowerCase()] = operation(route);
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

function operation({ method, path, access, summary, query = {}, body, responseSchema: answered }: Route): object {
  const pathParameters = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: TEXT,
  }));
  const queryParameters = Object.entries(query).map(([name, schema]) => ({ name, in: 'query', schema }));
  return {
    summary,
    parameters: [...pathParameters, ...queryParameters, ...(method === 'POST' ? [WRITE] : [])],
    ...(access === 'read' || access === 'write' ? {} : { security: [] }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: json(body) } }),
    responses: {
      ...(answered === undefined ? {} : { '200': { description: 'The requested data.', content: json(answered) } }),
      default: {
        description: 'An error; as a line of text if it does not come from this endpoint itself.',
        content: json(responseSchemas.error),
      },
    },
  };
}

function json(schema: object): object {
  return { 'application/json': { schema } };
}

const TEXT = { type: 'string' };
const WRITE = {
  name: WRITE_HEADER,
  in: 'header',
  required: true,
  description: 'Any value; a page of another site cannot send this header.',
  schema: TEXT,
};
