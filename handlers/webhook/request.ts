/** Turns one or several changes into a request. */
import { idempotencyKey, type Change } from '../../src/change.ts';
import type { HandlerContext } from '../../src/chain/handler.ts';
import { requestOf } from '../../src/plugin/contract.ts';
import { messageId } from '../../src/delivery/signature.ts';
import type { Appended } from '../../src/delivery/url-below.ts';
import { scopeOf } from '../../src/template/scope.ts';
import { compileAppended } from './appended.ts';
import { boundedBody, compileBody } from './body.ts';
import { attributesOf, BATCH_TYPE, binaryHeaders, structured, STRUCTURED_TYPE } from './cloud-events.ts';
import { compileHeaders } from './headers.ts';
import type { Options } from './options.ts';

export interface Request {
  readonly method: string;
  readonly appended: Appended | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Compiles the request for one change. The result throws TerminalError naming the field. */
export function compileRequest(options: Options): (change: Change, key: string) => Request {
  const { cloudEvents, maxBodyBytes } = options;
  const method = options.method.toUpperCase();
  const appendedOf = compileAppended(options);
  const headers = compileHeaders(options.headers);
  const body = compileBody(options);
  return (change, key) => {
    const scope = scopeOf(change);
    const own = headers.render(scope);
    const base = { method, appended: appendedOf(scope) };
    const contentType = own['content-type'] ?? body.contentType;
    const bounded = (wrap?: (text: string) => string): string =>
      boundedBody(body, change, scope, { maxBodyBytes, wrap });
    if (cloudEvents === undefined)
      return { ...base, headers: { 'content-type': contentType, ...own }, body: bounded() };
    const attributes = attributesOf(change, messageId(key));
    if (cloudEvents === 'binary') {
      const headers = { 'content-type': contentType, ...binaryHeaders(attributes), ...own };
      return { ...base, headers, body: bounded() };
    }
    return {
      ...base,
      headers: { ...own, 'content-type': STRUCTURED_TYPE },
      body: bounded((text) => structured(attributes, text, contentType)),
    };
  };
}

/** Compiles the request of the plug-in contract. The result throws TerminalError if the request is too long. */
export function compileVerdictRequest(options: Options): (change: Change, context: HandlerContext) => Request {
  const { maxBodyBytes } = options;
  const method = options.method.toUpperCase();
  const appendedOf = compileAppended(options);
  const headers = compileHeaders(options.headers);
  return (change, context) => {
    const scope = scopeOf(change);
    const body = { contentType: 'application/json', render: () => requestOf(change, context) };
    return {
      method,
      appended: appendedOf(scope),
      headers: { 'content-type': body.contentType, ...headers.render(scope) },
      body: boundedBody(body, change, scope, { maxBodyBytes }),
    };
  };
}

export interface BatchRequest {
  /** One request for the changes, in order. @throws TerminalError naming the field, if one cannot be rendered */
  of(changes: readonly Change[]): Request;
  /** How many changes, from the first on, fit into one request. One that cannot be rendered is left for a request of its own. */
  fits(changes: readonly Change[]): number;
}

/** Compiles the request for several changes: headers, path and query without templates, and a body for each. */
export function compileBatch(options: Options, handlerId: string): BatchRequest {
  const { cloudEvents, maxBodyBytes } = options;
  const method = options.method.toUpperCase();
  const appendedOf = compileAppended(options);
  const headers = compileHeaders(options.headers);
  const body = compileBody(options);
  const elementOf = (change: Change): string => {
    const attributes = attributesOf(change, messageId(idempotencyKey(change, handlerId)));
    const wrap = (text: string): string =>
      cloudEvents === undefined ? text : structured(attributes, text, body.contentType);
    return boundedBody(body, change, scopeOf(change), { maxBodyBytes, wrap });
  };
  const bytesOf = (change: Change): number => {
    try {
      return Buffer.byteLength(elementOf(change)) + 1;
    } catch {
      return Infinity;
    }
  };
  return {
    of(changes) {
      const scope = changes[0] === undefined ? undefined : scopeOf(changes[0]);
      const own = scope === undefined ? {} : headers.render(scope);
      const contentType = cloudEvents === undefined ? (own['content-type'] ?? body.contentType) : BATCH_TYPE;
      return {
        method,
        appended: scope === undefined ? undefined : appendedOf(scope),
        headers: { ...own, 'content-type': contentType },
        body: `[${changes.map(elementOf).join(',')}]`,
      };
    },
    fits(changes) {
      let bytes = 1;
      const first = changes.findIndex((change) => (bytes += bytesOf(change)) > maxBodyBytes);
      return first === -1 ? changes.length : Math.max(1, first);
    },
  };
}
