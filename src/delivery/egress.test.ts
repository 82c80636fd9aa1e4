import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { describe, test } from 'node:test';
import { egressProblem, guardedLookup } from './egress.ts';

/** Notations of an address in a URL, each with its meaning and why a name may not lead there. */
const SPELLINGS = [
  ['127.0.0.1', '127.0.0.1', 'loopback'],
  ['127.1', '127.0.0.1', 'loopback'],
  ['127.0.1', '127.0.0.1', 'loopback'],
  ['2130706433', '127.0.0.1', 'loopback'],
  ['0x7f000001', '127.0.0.1', 'loopback'],
  ['0x7f.1', '127.0.0.1', 'loopback'],
  ['0x7F.0x0.0x0.0x1', '127.0.0.1', 'loopback'],
  ['017700000001', '127.0.0.1', 'loopback'],
  ['0177.0.0.01', '127.0.0.1', 'loopback'],
  ['①②⑦.⓪.⓪.①', '127.0.0.1', 'loopback'],
  ['１２７.０.０.１', '127.0.0.1', 'loopback'],
  ['127。0。0。1', '127.0.0.1', 'loopback'],
  ['127.0.0.1.', '127.0.0.1', 'loopback'],
  ['127.255.255.254', '127.255.255.254', 'loopback'],
  ['[::1]', '::1', 'loopback'],
  ['[0:0:0:0:0:0:0:1]', '::1', 'loopback'],
  ['[0000:0000::0001]', '::1', 'loopback'],
  ['[::ffff:127.0.0.1]', '::ffff:7f00:1', 'loopback'],
  ['[::ffff:7f00:1]', '::ffff:7f00:1', 'loopback'],
  ['[::127.0.0.1]', '::7f00:1', 'loopback'],
  ['[64:ff9b::127.0.0.1]', '64:ff9b::7f00:1', 'loopback'],
  ['[2002:7f00:1::]', '2002:7f00:1::', 'loopback'],
  ['0', '0.0.0.0', 'unspecified'],
  ['0.0.0.0', '0.0.0.0', 'unspecified'],
  ['[::]', '::', 'unspecified'],
  ['169.254.169.254', '169.254.169.254', 'link-local, like the metadata service of a cloud'],
  ['2852039166', '169.254.169.254', 'link-local, like the metadata service of a cloud'],
  ['0xa9fea9fe', '169.254.169.254', 'link-local, like the metadata service of a cloud'],
  ['[::ffff:169.254.169.254]', '::ffff:a9fe:a9fe', 'link-local, like the metadata service of a cloud'],
  ['[64:ff9b::a9fe:a9fe]', '64:ff9b::a9fe:a9fe', 'link-local, like the metadata service of a cloud'],
  ['[fe80::1]', 'fe80::1', 'link-local, like the metadata service of a cloud'],
  ['[febf::1]', 'febf::1', 'link-local, like the metadata service of a cloud'],
  ['[fd00:ec2::254]', 'fd00:ec2::254', 'the metadata service of a cloud'],
  ['100.100.100.200', '100.100.100.200', 'the metadata service of a cloud'],
  ['168.63.129.16', '168.63.129.16', 'the metadata service of a cloud'],
  ['[64:ff9b::100.100.100.200]', '64:ff9b::6464:64c8', 'the metadata service of a cloud'],
  ['[2002:6464:64c8:1::1]', '2002:6464:64c8:1::1', 'the metadata service of a cloud'],
  ['224.0.0.1', '224.0.0.1', 'multicast or reserved'],
  ['255.255.255.255', '255.255.255.255', 'multicast or reserved'],
  ['[ff02::1]', 'ff02::1', 'multicast or reserved'],
  ['10.0.0.1', '10.0.0.1', undefined],
  ['172.16.0.1', '172.16.0.1', undefined],
  ['192.168.1.1', '192.168.1.1', undefined],
  ['[fd12:3456::1]', 'fd12:3456::1', undefined],
  ['93.184.216.34', '93.184.216.34', undefined],
  ['[2606:2800:220:1::1]', '2606:2800:220:1::1', undefined],
  ['[2002:5db8:d822::1]', '2002:5db8:d822::1', undefined],
] as const;

describe('egressProblem()', () => {
  for (const [spelling, address, why] of SPELLINGS) {
    test(`${spelling} is ${address}: ${why ?? 'allowed'}`, () => {
      const { hostname } = new URL(`http://${spelling}/`);
      const normal = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
      assert.equal(normal, address);
      assert.equal(egressProblem(normal), why);
    });
  }

  test('ignores a zone, and refuses what is not an address', () => {
    assert.equal(egressProblem('fe80::1%eth0'), 'link-local, like the metadata service of a cloud');
    assert.equal(egressProblem('::1%lo'), 'loopback');
    for (const text of ['', 'localhost', '127.1', '1.2.3.4/8']) assert.equal(egressProblem(text), 'not an address');
  });
});

/** A resolver with this answer. */
const answering =
  (...addresses: readonly string[]): LookupFunction =>
  (_name, _options, callback) => {
    callback(
      null,
      addresses.map((address) => ({ address, family: isIP(address) })),
    );
  };

function resolved(lookup: LookupFunction, hostname: string, all = true): Promise<string | LookupAddress[]> {
  return new Promise((resolve, reject) => {
    lookup(hostname, { all }, (error, found) => (error === null ? resolve(found) : reject(error)));
  });
}

describe('guardedLookup()', () => {
  test('returns allowed addresses, as a list or as a single one', async () => {
    const lookup = guardedLookup([], answering('10.1.2.3', 'fd12::1'));
    assert.deepEqual(await resolved(lookup, 'hook.shop.svc'), [
      { address: '10.1.2.3', family: 4 },
      { address: 'fd12::1', family: 6 },
    ]);
    assert.equal(await resolved(lookup, 'hook.shop.svc', false), '10.1.2.3');
  });

  test('one forbidden address fails the whole answer, and the message names the remedy', async () => {
    for (const answer of [['93.184.216.34', '169.254.169.254'], ['169.254.169.254']]) {
      await assert.rejects(resolved(guardedLookup([], answering(...answer)), 'hooks.example'), {
        code: 'EGRESS',
        message:
          'hooks.example resolves to 169.254.169.254 (link-local, like the metadata service of a cloud), which names may not resolve to; permit it with allowAddresses = ["169.254.169.254"]',
      });
    }
  });

  test('allows addresses that the configuration permits, and no others', async () => {
    const allowed = ['169.254.169.254', '127.0.0.0/8'];
    for (const address of ['169.254.169.254', '127.9.9.9']) {
      assert.equal(await resolved(guardedLookup(allowed, answering(address)), 'a.example', false), address);
    }
    await assert.rejects(resolved(guardedLookup(allowed, answering('169.254.169.253')), 'a.example'), {
      code: 'EGRESS',
    });
  });

  test('allows localhost to resolve to this machine, but not a name that only looks like it', async () => {
    for (const name of ['localhost', 'LOCALHOST', 'app.localhost', 'localhost.']) {
      assert.equal(await resolved(guardedLookup([], answering('127.0.0.1')), name, false), '127.0.0.1');
    }
    for (const name of ['localhost.example', 'notlocalhost', 'localhost.localdomain']) {
      await assert.rejects(resolved(guardedLookup([], answering('127.0.0.1')), name), { code: 'EGRESS' });
    }
  });

  test('fails on a name without an address, and on a failing resolver', async () => {
    await assert.rejects(resolved(guardedLookup([], answering()), 'a.example'), /resolves to no address/);
    const failing: LookupFunction = (_n, _o, callback) =>
      callback(Object.assign(new Error('x'), { code: 'ENOTFOUND' }), '');
    await assert.rejects(resolved(guardedLookup([], failing), 'a.example'), { code: 'ENOTFOUND' });
  });
});
