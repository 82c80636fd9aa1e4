/** The running configuration, for people, without its secrets. */
import type { ChainConfig, Config, HandlerConfig } from '../config/config.ts';
import { textRedactor } from '../enrich/redact-text.ts';
import { responseSchemas } from './response-schemas.ts';
import type { Route, RouteParts } from './route.ts';

const HIDDEN = '(hidden)';
/** Keys whose values are always hidden. */
const SECRET_KEY = /url|token|passw|secret|credential|auth|webhook|header|cert|key$|^env$/i;

export function configRoute({ service }: Pick<RouteParts, 'service'>): Route {
  return {
    method: 'GET',
    path: '/config',
    access: 'read',
    summary: 'The configuration in effect. Secrets and all values from the environment or another file are hidden.',
    responseSchema: responseSchemas.config,
    handle: (c) => c.json(configDocument(service.config())),
  };
}

export function configDocument(config: Config): object {
  const { file, cluster, state, history, log, web, lookup, lease, heartbeat, tracing, redact } = config;
  const { whileAway, existing, chains, outside } = config;
  const { direct, ...named } = cluster;
  const hide = createHider(
    new Set(outside),
    textRedactor(() => redact.envNames),
  );
  return hide({
    file,
    cluster: { ...named, ...(direct === undefined ? {} : { server: host(direct.server), insecure: direct.insecure }) },
    state,
    history,
    log,
    web: { ...web, token: web.token === undefined ? null : HIDDEN },
    lookup,
    lease,
    heartbeat,
    tracing: tracing && { ...tracing, endpoint: host(tracing.endpoint) },
    redact,
    whileAway,
    existing,
    chains: chains.map(chainDocument),
  }) as object;
}

function host(server: string): string {
  return new URL(server).host;
}

function chainDocument({ name, resources, handlers, branches, ...chain }: ChainConfig): object {
  const { retry, concurrency, coalesce, awayFrom, deadLettersTo } = chain;
  return {
    name,
    resources: resources.map(({ at: _at, ...resource }) => resource),
    handlers: handlers.map(handlerDocument),
    ...(branches.length === 0 ? {} : { branches: branches.map(chainDocument) }),
    retry,
    concurrency,
    coalesce,
    awayFrom,
    deadLettersTo,
  };
}

function handlerDocument({ id, definition, options, digest, fallback }: HandlerConfig): object {
  return { id, name: definition.name, options, digest, fallback };
}

/** A copy without values that are secret by their key, their origin, or their own text. */
function createHider(outside: ReadonlySet<string>, redacted: (text: string) => string): (value: unknown) => unknown {
  const hide = (value: unknown): unknown => {
    if (typeof value === 'string') return value !== '' && outside.has(value) ? HIDDEN : redacted(value);
    if (Array.isArray(value))
      return value.map((inner, n) => (isOptionValue(inner, value[n - 1]) ? HIDDEN : hide(inner)));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, isSecret(key, inner) ? HIDDEN : hide(inner)]),
    );
  };
  return hide;
}

/** Booleans and numbers reveal nothing. */
function isSecret(key: string, value: unknown): boolean {
  const hasContent = (typeof value === 'string' && value !== '') || (typeof value === 'object' && value !== null);
  return hasContent && SECRET_KEY.test(key);
}

/** `["-p", "hunter2"]`: the argument after an option may be its value, and nothing in the option's name tells what it is. */
function isOptionValue(value: unknown, before: unknown): boolean {
  return isOption(before) && typeof value === 'string' && !isOption(value);
}

function isOption(value: unknown): boolean {
  return typeof value === 'string' && /^--?[A-Za-z][\w-]*$/.test(value);
}
