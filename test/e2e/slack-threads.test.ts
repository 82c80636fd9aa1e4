import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deployment } from './cluster.ts';
import { World } from './world.ts';

const NO_PREVIEWS = { unfurl_links: false, unfurl_media: false };

test('a thread in Slack continues after a restart of the service', async () => {
  await using world = await World.start((_request, n) => ({
    body: JSON.stringify({ ok: true, channel: 'C1', ts: `${n}.0` }),
  }));
  const config = `
[[resource]]
kind = "deployment"
[[handler]]
name = "slack"
token = "xoxb-1"
channel = "#ops"
apiURL = "${world.slack.url}"
messagesPerSecond = 0
message = "{{ change.action }}"
threadKey = "{{ change.key }}"
`;
  {
    await using running = await world.run({ config, keepState: true });
    world.server.create(deployment('web'));
    await world.slack.waitFor(1);
    await running.app.idle();
  }
  await using running = await world.run({ config, keepState: true });
  world.server.delete('Deployment', 'web', 'default');
  await world.slack.waitFor(2);
  await running.app.idle();
  assert.deepEqual(
    world.slack.requests.map(({ path, body }) => [path, JSON.parse(body) as object]),
    [
      ['/chat.postMessage', { channel: '#ops', text: 'added', ...NO_PREVIEWS }],
      ['/chat.postMessage', { channel: 'C1', thread_ts: '1.0', text: 'deleted', ...NO_PREVIEWS }],
    ],
  );
});
