import type { ReceiverResponse } from './receiver.ts';

/**
 * For receivers that never answer with a page: what stands before them, and wants a login, does, under 200.
 * @throws Error a failed attempt: who has logged in or mended the address can replay it
 */
export function assertNoPage({ status, body }: ReceiverResponse, host: string): void {
  if (!/^\s*<(?:!doctype html|html)\b/i.test(body)) return;
  // Not quoted: it may echo the request, and with it the URL.
  throw new Error(`${host} answered ${status} with an HTML page, such as a login: the message was not taken`);
}
