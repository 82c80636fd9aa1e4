/** Turns one or several changes into a request. */
import { idempotencyKey, type Change } from '../../src/change.ts';
import type { HandlerContext } from '../../src/chain/handler.ts';
import { requestOf } from '../../src/plugin/contract.ts';
import { messageId } from '../../src/delivery/signature.ts';
import type { Appended } from '../../src/delivery/url-below.ts';
import { scopeOf, type TemplateScope } from '../../src/template/scope.ts';
import { compileAppended } from './appended.ts';
import { boundedBody, compileBody } from './body.ts';
import { attributesOf, BATCH_TYPE, binaryHeaders, structured, STRUCTURED_TYPE } from './cloud-events.ts';
import { compileHeaders } from './headers.ts';
import type { Options } from './options.ts';

export interface WebhookRequest {
  readonly method: string;
  readonly appended: Appended | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Compiles what every request has: without its body, and with the headers of the configuration only. */
function compileHead(options: Options): (scope: TemplateScope) => Omit<WebhookRequest, 'body'> {
  const method = options.method.toUpperCase();
  const appendedOf = compileAppended(options);
  const headersOf = compileHeaders(options.headers);
  return (scope) => ({ method, appended: appendedOf(scope), headers: headersOf(scope) });
}

/** Compiles the request for one change. The result throws TerminalError naming the field. */
export function compileRequest(options: Options): (change: Change, key: string) => WebhookRequest {
  const { cloudEvents, maxBodyBytes } = options;
  const headOf = compileHead(options);
  const body = compileBody(options);
  return (change, key) => {
    const scope = scopeOf(change);
    const head = headOf(scope);
    const contentType = head.headers['content-type'] ?? body.contentType;
    const bounded = (wrap?: (text: string) => string): string =>
      boundedBody(body, change, scope, { maxBodyBytes, wrap });
    if (cloudEvents === 'structured') {
      const attributes = attributesOf(change, messageId(key));
      const headers = { ...head.headers, 'content-type': STRUCTURED_TYPE };
      return { ...head, headers, body: bounded((text) => structured(attributes, text, contentType)) };
    }
    const own = cloudEvents === 'binary' ? binaryHeaders(attributesOf(change, messageId(key))) : {};
    return { ...head, headers: { 'content-type': contentType, ...own, ...head.headers }, body: bounded() };
  };
}

/** Compiles the request of the plug-in contract. The result throws TerminalError if the request is too long. */
export function compileVerdictRequest(options: Options): (change: Change, context: HandlerContext) => WebhookRequest {
  const { maxBodyBytes } = options;
  const headOf = compileHead(options);
  return (change, context) => {
    const scope = scopeOf(change);
    const head = headOf(scope);
    const body = { contentType: 'application/json', render: () => requestOf(change, context) };
    return {
      ...head,
      headers: { 'content-type': body.contentType, ...head.headers },
      body: boundedBody(body, change, scope, { maxBodyBytes }),
    };
  };
}

export interface BatchRequest {
  /** One request for the changes, in order. @throws TerminalError naming the field, if one cannot be rendered */
  of(changes: readonly [Change, ...Change[]]): WebhookRequest;
  /** How many changes, from the first on, fit into one request. One that cannot be rendered is left for a request of its own. */
  fits(changes: readonly Change[]): number;
}

/** Compiles the request for several changes: headers, path and query without templates, and a body for each. */
export function compileBatch(options: Options, handlerId: string): BatchRequest {
  const { cloudEvents, maxBodyBytes } = options;
  const headOf = compileHead(options);
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
      const head = headOf(scopeOf(changes[0]));
      const contentType = cloudEvents === undefined ? (head.headers['content-type'] ?? body.contentType) : BATCH_TYPE;
      const headers = { ...head.headers, 'content-type': contentType };
      return { ...head, headers, body: `[${changes.map(elementOf).join(',')}]` };
    },
    fits(changes) {
      let bytes = 1;
      const first = changes.findIndex((change) => (bytes += bytesOf(change)) > maxBodyBytes);
      return first === -1 ? changes.length : Math.max(1, first);
    },
  };
}
