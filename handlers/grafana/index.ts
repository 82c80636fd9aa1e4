import { defineSink } from '../../src/chain/handler.ts';
import { urlBelow } from '../../src/delivery/url-below.ts';
import { deadlineMs, receiverOptions } from '../../src/delivery/fields.ts';
import { assertNotHtmlPage } from '../../src/delivery/html-page.ts';
import { scopeOf } from '../../src/template/scope.ts';
import { isTemplate } from '../../src/template/template.ts';
import { compileAnnotation } from './body.ts';
import { options } from './options.ts';

export default defineSink({
  name: 'grafana',
  summary: 'Writes each change to Grafana as an annotation.',
  description: [
    'An annotation appears in every dashboard that queries its tags, or in the one that is named. Texts are templates; see [templates](../templates.md). The time is that of the change, however late it is delivered.',
    'A change counts as delivered when Grafana answers 2xx with anything but an HTML page, such as the login page of a proxy. Grafana does not deduplicate annotations: a crash between its answer and our record of it can write one twice.',
  ].join('\n\n'),
  options,
  examples: [
    {
      title: 'Every change, found by its tags',
      toml: '[[handler]]\nname = "grafana"\nurl = "https://grafana.example"\ntoken = "${GRAFANA_TOKEN}"\n',
    },
    {
      title: 'Events in the Graphite form',
      toml: '[[handler]]\nname = "grafana"\nurl = "https://grafana.example"\ntoken = "${GRAFANA_TOKEN}"\nformat = "graphite"\nwhat = "{{ event.involvedObject.kind }} - {{ event.reason }}"\ndata = "{{ event.message }}"\ntags = ["event", "{{ event.reason }}", "{{ event.involvedObject.name }}"]\n',
    },
  ],
  deadlineMs,
  create(options, environment) {
    const annotation = compileAnnotation(options);
    const url = urlBelow(options.url, annotation.path);
    const receiver = environment.receivers.receiver({
      ...receiverOptions(options),
      name: environment.id,
      url,
      accept: (response) => assertNotHtmlPage(response, url.host),
      needsBody: false,
      secrets: [options.token],
      namesPlaces: isTemplate(options.dashboardUID ?? ''),
    });
    const headers = {
      accept: 'application/json',
      authorization: `Bearer ${options.token}`,
      'content-type': 'application/json',
    };
    return {
      async deliver(change, { idempotencyKey, signal }) {
        await receiver.send({ headers, body: annotation.render(scopeOf(change)), idempotencyKey, signal });
      },
      preview: (change) => annotation.render(scopeOf(change)),
      stop: () => receiver.close(),
    };
  },
});
