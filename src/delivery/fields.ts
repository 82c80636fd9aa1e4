/** Options shared by all sinks that send over HTTP to a configured address. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { durationFrom, durationMs } from '../config/duration.ts';
import { filePath } from '../config/paths.ts';
import type { ReceiverOptions } from './receiver.ts';
import { secretKey } from './signature.ts';
import { problemsOfTls } from './tls.ts';

const tls = z
  .strictObject({
    caFile: filePath.optional(),
    certFile: filePath.optional(),
    keyFile: filePath.optional(),
    serverName: z.string().min(1).optional(),
    insecureSkipVerify: z.boolean().optional(),
  })
  .superRefine((given, context) => {
    for (const { option, message } of problemsOfTls(given)) {
      context.addIssue({ code: 'custom', message, path: [option] });
    }
  });

const address = z.string().refine(isAddress, {
  error: 'must be an IP address or a range such as "169.254.169.254" or "127.0.0.0/8"',
});

function isAddress(text: string): boolean {
  const [ip = '', bits, ...rest] = text.split('/');
  const family = isIP(ip);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32));
}

const secret = z.string().refine((text) => secretKey(text) !== undefined, {
  error:
    'must be base64 of 24 to 64 bytes, with or without the prefix "whsec_": create one with `openssl rand -base64 32`',
});

/** Secrets to sign requests with. */
export const signingSecrets = z.union([secret, z.array(secret).min(1)]);

/** A token for a header. Trimmed, because `echo` often adds a line feed to a Secret. */
export const bearerToken = z
  .string()
  .trim()
  .regex(/^[\x21-\x7e]+$/, 'must be a token: visible ASCII characters without spaces');

/** How a sink reaches its receiver; part of its strict object of options. */
export const reach = {
  messagesPerSecond: z
    .number()
    .min(0)
    .default(0)
    .describe('Requests per second on average. Faster ones wait. `0` for no limit.')
    .meta({ example: 20 }),
  burst: z
    .int()
    .min(1)
    .default(1)
    .describe('Requests that may be sent at once before the rate applies.')
    .meta({ example: 10 }),
  timeout: durationFrom('1ms')
    .default('10s')
    .describe('Time limit for the whole request, connecting included. After that the attempt has failed.')
    .meta({ example: '5s' }),
  tls: tls
    .optional()
    .describe(
      "`caFile` replaces the usual CAs, `certFile` and `keyFile` present a client certificate, `serverName` is the name in the receiver's certificate if it differs from the host. Files are PEM and are read again when replaced. `insecureSkipVerify = true` accepts any certificate.",
    )
    .meta({ example: { caFile: '/etc/secret/ca.crt' } }),
  allowAddresses: z
    .array(address)
    .optional()
    .describe(
      'Addresses that the name in the URL may resolve to although names may not by default: this machine, link-local addresses, the metadata service of a cloud. An address in the URL itself needs no permission.',
    )
    .meta({ example: ['127.0.0.0/8'] }),
} as const;

/** The request's own deadline has the better message, so the runner's must come later. */
const DEADLINE_MARGIN_MS = 2_000;

/** The deadline of a sink that makes one request. */
export function deadlineMs({ timeout }: { readonly timeout: string }): number {
  return durationMs(timeout) + DEADLINE_MARGIN_MS;
}

type Reach = z.output<z.ZodObject<typeof reach>>;

/** The receiver's options from a sink's options. */
export function receiverOptions({
  messagesPerSecond,
  burst,
  timeout,
  tls,
  allowAddresses,
}: Reach): Omit<ReceiverOptions, 'name' | 'url'> {
  return {
    timeoutMs: durationMs(timeout),
    perSecond: messagesPerSecond,
    burst,
    tls,
    allowAddresses,
  };
}
