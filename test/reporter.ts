/** Node's spec reporter, but with final counts that begin with `# `, like TAP's, on any terminal: scripts read them. */
import stream from 'node:stream';
import { spec } from 'node:test/reporters';
import type { TestEvent } from 'node:test/reporters';

export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const chunk of stream.Readable.from(events).compose(spec())) {
    yield String(chunk).replace(/^\P{ASCII} (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /gmu, '# $1 ');
  }
}
