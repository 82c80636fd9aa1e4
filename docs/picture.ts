/**
 * Writes docs/message.svg: what Slack shows of a message, made by the `diff` and `slack` handlers themselves. With `--check` it
 * writes nothing, and fails if the picture would change.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { changeOf } from '../src/testing/change.ts';
import { withDifference } from '../handlers/diff/difference.ts';
import { attachmentOf, type SlackAttachment } from '../handlers/slack/message.ts';

const FILE = new URL('./message.svg', import.meta.url);
const [WIDTH, LINE, LEFT] = [680, 18, 28];

function deployment(image: string, replicas: number): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { replicas, template: { spec: { containers: [{ name: 'web', image }] } } },
  };
}

/** The message of a rollout. */
function message(): SlackAttachment {
  const change = changeOf({
    before: deployment('nginx:1.7.9', 1),
    after: deployment('nginx:1.9.1', 3),
    by: [{ manager: 'kubectl-set', operation: 'Update', paths: ['spec.replicas'] }],
  });
  return attachmentOf(withDifference(change), 'prod-eu');
}

/** Slack's escapes are XML's, too. */
function svg({ author_name, color, footer = '', text, title }: SlackAttachment): string {
  const code = text.replaceAll('```', '').trimEnd().split('\n');
  const codeTop = 76;
  const codeHeight = code.length * LINE + 14;
  const height = codeTop + codeHeight + 34;
  const line = (y: number, content: string, style: string) =>
    `  <text x="${LEFT}" y="${y}" xml:space="preserve" ${style}>${content}</text>`;
  const sans = 'font-family="Helvetica, Arial, sans-serif"';
  const mono = 'font-family="Menlo, Consolas, monospace" font-size="12.5" fill="#1d1c1d"';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">`,
    `  <rect width="100%" height="100%" fill="#fff"/>`,
    `  <rect x="10" y="10" width="4" height="${height - 20}" rx="2" fill="${color}"/>`,
    line(28, author_name, `${sans} font-size="13" fill="#616061"`),
    ...title
      .split('\n')
      .map((part, i) => line(47 + i * LINE, part, `${sans} font-size="14" font-weight="bold" fill="#1d1c1d"`)),
    `  <rect x="20" y="${codeTop}" width="${WIDTH - 32}" height="${codeHeight}" rx="4" fill="#f8f8f8" stroke="#ddd"/>`,
    ...code.map((part, i) => line(codeTop + 20 + i * LINE, part, mono)),
    line(height - 14, footer, `${sans} font-size="12" fill="#616061"`),
    '</svg>\n',
  ].join('\n');
}

const picture = svg(message());
if (!process.argv.includes('--check')) {
  await writeFile(FILE, picture);
} else if ((await readFile(FILE, 'utf8').catch(() => '')) !== picture) {
  process.stderr.write('docs/message.svg is out of date: run `make docs`\n');
  process.exitCode = 1;
}
