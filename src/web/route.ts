/** The definition of a route. */
import type { Context } from 'hono';
import type { WebConfig } from '../config/config.ts';
import type { Asset } from './assets.ts';
import type { Feed } from './feed.ts';
import type { Access, Gate } from './gate.ts';
import type { ServiceView } from './service-view.ts';
import type { Sessions } from './sessions.ts';

export interface Route {
  readonly method: 'GET' | 'POST';
  /** Below the base path; `:name` stands for one part. */
  readonly path: string;
  readonly access: Access;
  /** For /openapi.json. */
  readonly summary: string;
  /** JSON Schema of the query, for /openapi.json. */
  readonly query?: Readonly<Record<string, object>>;
  /** JSON Schema of the body, for /openapi.json. */
  readonly body?: object;
  /** JSON Schema of the 200 response, if that is JSON, for /openapi.json. */
  readonly responseSchema?: object;
  readonly handle: (context: Context) => Response | Promise<Response>;
}

/** What the routes need for their answers. */
export interface RouteParts {
  readonly service: ServiceView;
  readonly settings: WebConfig;
  readonly assets: ReadonlyMap<string, Asset>;
  readonly feed: Feed;
  readonly gate: Gate;
  readonly sessions: Sessions;
}
