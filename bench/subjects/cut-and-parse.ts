/**
 * The minimum: `cut-and-parse.ts KUBECONFIG`: the same watch, split into lines; managedFields cut by searching for the text that
 * begins and ends them, and JSON.parse. It checks nothing, remembers no object, and would not survive a broken watch.
 */
import { readFileSync } from 'node:fs';
import { request } from 'undici';
import { Report } from './report.ts';

const MANAGED_FIELDS = ',"managedFields":[';
/** What follows managedFields in the embedded API server's objects. */
const MANAGED_FIELDS_END = ']},"spec":';

/** As written by the embedded API server, in JSON. */
interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: { readonly server: string } }[];
}

const report = new Report();
const config = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Kubeconfig;
const pods = `${config.clusters[0]?.cluster.server}/api/v1/pods`;
const list = (await (await request(pods)).body.json()) as { readonly metadata: { readonly resourceVersion: string } };
const watch = await request(`${pods}?watch=1&resourceVersion=${list.metadata.resourceVersion}`);
report.ready();

let rest: Buffer = Buffer.alloc(0);
for await (const chunk of watch.body as AsyncIterable<Buffer>) {
  const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
  let start = 0;
  for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
    deliver(cutAndParse(bytes.subarray(start, end)));
    start = end + 1;
  }
  rest = bytes.subarray(start);
}

function cutAndParse(line: Buffer): unknown {
  const from = line.indexOf(MANAGED_FIELDS);
  const to = line.indexOf(MANAGED_FIELDS_END, from) + 1;
  return JSON.parse(line.toString('utf8', 0, from) + line.toString('utf8', to));
}

function deliver(event: unknown): void {
  if (event !== undefined) report.done();
}
