/**
 * Where requests may go. An address in the configuration is intended, even loopback. An address that a name resolves to
 * may not be: it must not lead to this machine, nor to the cloud's metadata service, which hands out credentials.
 * Private networks (RFC 1918, unique local) are allowed: services of a cluster live there. Redirects are never followed.
 */
import type { LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

interface Range {
  readonly why: string;
  readonly list: BlockList;
}

const REFUSED_RANGES: readonly Range[] = [
  range('loopback', '127.0.0.0/8', '::1/128'),
  range('unspecified', '0.0.0.0/8', '::/128'),
  range('link-local, like the metadata service of a cloud', '169.254.0.0/16', 'fe80::/10'),
  // AWS over IPv6, Google over IPv6, Alibaba, Oracle, Azure.
  range(
    'the metadata service of a cloud',
    'fd00:ec2::254',
    'fd20:ce::254',
    '100.100.100.200',
    '192.0.0.192',
    '168.63.129.16',
  ),
  range('multicast or reserved', '224.0.0.0/3', 'ff00::/8'),
];

/** IPv6 prefixes that embed IPv4: translated (RFC 6052), 6to4 (RFC 3056), compatible (RFC 4291). BlockList knows mapped ones. */
const EMBEDDING_PREFIXES: readonly { readonly list: BlockList; readonly firstGroup: number }[] = [
  { list: addresses('64:ff9b::/96', '64:ff9b:1::/48'), firstGroup: 6 },
  { list: addresses('2002::/16'), firstGroup: 1 },
  { list: addresses('::/96'), firstGroup: 6 },
];

/** Why a name may not lead to this address; undefined if it may. Texts that are not addresses are refused. */
export function egressProblem(address: string): string | undefined {
  const bare = address.replace(/%.*$/, '');
  const family = isIP(bare);
  if (family === 0) return 'not an address';
  const found = REFUSED_RANGES.find(({ list }) => list.check(bare, family === 6 ? 'ipv6' : 'ipv4'));
  if (found !== undefined) return found.why;
  const embedded = family === 6 ? embeddedIn(bare) : undefined;
  return embedded === undefined ? undefined : egressProblem(embedded);
}

/** A name leads where it may not. The request was certainly not sent. */
class EgressError extends Error {
  readonly code = 'EGRESS';
  override readonly name = 'EgressError';
}

/**
 * A resolver that refuses a whole answer if any address in it is refused, as connecting tries them in any order.
 * `localhost` and names below it mean this machine by definition (RFC 6761), and are allowed.
 * @param allowed addresses and ranges that are permitted nevertheless
 */
export function guardedLookup(allowed: readonly string[], resolve: LookupFunction): LookupFunction {
  const permitted = addresses(...allowed);
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, '');
      const answer = typeof found === 'string' ? [{ address: found, family: isIP(found) }] : found;
      const refused = isLocal(hostname) ? undefined : firstRefused(answer, permitted);
      const [first] = answer;
      if (refused !== undefined || first === undefined) {
        return callback(new EgressError(refusalMessage(hostname, refused)), '');
      }
      if (options.all === true) return callback(null, answer);
      return callback(null, first.address, first.family);
    });
  };
}

function firstRefused(
  answer: readonly LookupAddress[],
  permitted: BlockList,
): { readonly address: string; readonly why: string } | undefined {
  for (const { address } of answer) {
    if (permitted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')) continue;
    const why = egressProblem(address);
    if (why !== undefined) return { address, why };
  }
  return undefined;
}

function refusalMessage(
  hostname: string,
  refused: { readonly address: string; readonly why: string } | undefined,
): string {
  if (refused === undefined) return `${hostname} resolves to no address`;
  const { address, why } = refused;
  return `${hostname} resolves to ${address} (${why}), which names may not resolve to; permit it with allowAddresses = ["${address}"]`;
}

function isLocal(hostname: string): boolean {
  return /^(?:.+\.)?localhost\.?$/i.test(hostname);
}

function embeddedIn(address: string): string | undefined {
  const found = EMBEDDING_PREFIXES.find(({ list }) => list.check(address, 'ipv6'));
  if (found === undefined) return undefined;
  const groups = groupsOf(address);
  const [high = 0, low = 0] = groups.slice(found.firstGroup, found.firstGroup + 2);
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** The eight groups of an IPv6 address, via the URL parser, which normalises every notation. */
function groupsOf(address: string): readonly number[] {
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const numbers = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const [first, last] = [numbers(head), numbers(tail ?? '')];
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
}

function range(why: string, ...ranges: readonly string[]): Range {
  return { why, list: addresses(...ranges) };
}

/** A list of addresses and CIDR ranges. @throws on anything else */
function addresses(...ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of ranges) {
    const [address = '', bits] = text.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}
