import type { ReceiverResponse } from './receiver.ts';

/**
 * For receivers that never answer with a page, unlike a login in front of them, which does so with status 200.
 * @throws Error a failed attempt; it can be replayed once the login or the address is fixed
 */
export function assertNotHtmlPage({ status, body }: ReceiverResponse, host: string): void {
  if (!/^\s*<(?:!doctype html|html)\b/i.test(body)) return;
  // The page is not quoted: it may echo the request, including the URL.
  throw new Error(`${host} answered ${status} with an HTML page, such as a login page: the message was not accepted`);
}
