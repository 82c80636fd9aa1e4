/** Row 42: the receiver's name does not resolve, then it does. */
import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import { test } from 'node:test';
import { kwatchmanConfig } from '../e2e/main-job.ts';
import { needsMount } from './needs.ts';
import { eachAlone, Service } from './service.ts';
import { assertWhole, toldTo } from './stories.ts';

const OBJECTS = 3;
const END = { objects: OBJECTS, last: 1 };

test(
  '42 a receiver whose name does not resolve is waited for, at no attempt; it is looked up again',
  needsMount,
  async () => {
    const told = toldTo(END);
    await using service = await Service.make(OBJECTS, told.respond);
    // Names below localhost may lead to this machine.
    const url = service.slack.url.replace('127.0.0.1', 'slack.localhost');
    const config = eachAlone(`[retry]\nretries = 0\n${kwatchmanConfig(url, ['deployment'])}`);
    await service.workdir.write('config.toml', config);
    const hosts = await service.workdir.write('hosts', '127.0.0.1 localhost\n');
    const resolver = await service.workdir.write('resolv.conf', 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n');
    const mounts = `mount --bind ${hosts} /etc/hosts && mount --bind ${resolver} /etc/resolv.conf && exec "$@"`;
    await using program = service.start({ under: ['unshare', '--mount', 'sh', '-c', mounts, 'sh'] });
    await program.ready();
    service.scale(1);
    await program.until('a failed look-up', ({ stderr }) => /ENOTFOUND|EAI_AGAIN/.test(stderr));
    await appendFile(hosts, '127.0.0.1 slack.localhost\n');
    await told.done();
    assert.equal((await program.stop()).code, 0);
    assert.equal(assertWhole(service.slack.requests, END).repeated, 0);
    await service.assertBalanced();
  },
);
