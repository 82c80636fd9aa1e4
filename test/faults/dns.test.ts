/** Row 42: the receiver's name does not resolve, resolves to an unused address, or its name server is silent; later it works. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { kwatchmanConfig } from '../e2e/main-job.ts';
import { needsMount } from './needs.ts';
import { reportEach, Service } from './service.ts';
import { assertComplete, trackingReceiver } from './stories.ts';

const OBJECTS = 3;
const END = { objects: OBJECTS, last: 1 };

/** What the name resolves to at first, and the resulting error. The receiver listens only on 127.0.0.1. */
const CASES: readonly (readonly [string, string, RegExp])[] = [
  ['whose name does not resolve', '', /ENOTFOUND|EAI_AGAIN/],
  ['that has moved to another address', '127.0.0.2 slack.localhost\n', /ECONNREFUSED/],
];

describe('a receiver', { concurrency: 2 }, () => {
  for (const [what, line, said] of CASES) {
    test(`42 ${what} is deferred at no cost of attempts, and looked up again`, needsMount, async () => {
      const tracker = trackingReceiver(END);
      await using service = await Service.make(OBJECTS, tracker.respond);
      // Names below localhost may resolve to this machine.
      const url = service.slack.url.replace('127.0.0.1', 'slack.localhost');
      const config = reportEach(`[retry]\nretries = 0\n${kwatchmanConfig(url, ['deployment'])}`);
      await service.workdir.write('config.toml', config);
      const hosts = await service.workdir.write('hosts', `127.0.0.1 localhost\n${line}`);
      const resolver = await service.workdir.write(
        'resolv.conf',
        'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n',
      );
      const mounts = `mount --bind ${hosts} /etc/hosts && mount --bind ${resolver} /etc/resolv.conf && exec "$@"`;
      await using program = service.start({ under: ['unshare', '--mount', 'sh', '-c', mounts, 'sh'] });
      await program.ready();
      service.scale(1);
      await program.until('what is wrong', ({ stderr }) => said.test(stderr));
      await writeFile(hosts, '127.0.0.1 localhost slack.localhost\n');
      await tracker.done();
      assert.equal((await program.stop()).code, 0);
      assert.equal(assertComplete(service.slack.requests, END).repeated, 0);
      await service.assertBalanced();
    });
  }

  test('42 whose name server does not answer holds up no other receiver', needsMount, async (t) => {
    const [end, address, silent] = [{ objects: OBJECTS, last: 2 }, '127.53.0.1', 6];
    const server = createSocket('udp4').bind(53, address);
    t.after(() => server.close());
    await once(server, 'listening');
    const tracker = trackingReceiver(end);
    // So that its name is resolved again.
    const headers = { connection: 'close' };
    await using service = await Service.make(OBJECTS, (...request) => ({ ...tracker.respond(...request), headers }));
    const url = service.slack.url.replace('127.0.0.1', 'slack.localhost');
    const others = Array.from({ length: silent }, (_, n) => otherChain(`silent-${n}.example`));
    const config = reportEach([kwatchmanConfig(url, ['deployment']), ...others].join('\n'));
    await service.workdir.write('config.toml', config);
    const hosts = await service.workdir.write('hosts', '127.0.0.1 localhost slack.localhost\n');
    const resolver = await service.workdir.write(
      'resolv.conf',
      `nameserver ${address}\noptions timeout:20 attempts:1\n`,
    );
    const mounts = `mount --bind ${hosts} /etc/hosts && mount --bind ${resolver} /etc/resolv.conf && exec "$@"`;
    await using program = service.start({ under: ['unshare', '--mount', 'sh', '-c', mounts, 'sh'] });
    await program.ready();
    service.scale(1);
    await program.until('nobody answers', ({ stderr }) => /silent-\d\.example\) cannot be reached/.test(stderr));
    service.scale(2);
    await tracker.done();
    assert.doesNotMatch(program.stderr, /slack\.localhost[^\n]* cannot be reached/);
    assert.equal(assertComplete(service.slack.requests, end).repeated, 0);
  });
});

function otherChain(host: string): string {
  return `
[[chain]]
name = "${host}"
[[chain.resource]]
kind = "deployment"
[[chain.handler]]
name = "webhook"
url = "http://${host}/"
`;
}
