/** An embedded cluster, a Slack receiver and the app between them, in this process: a quick end-to-end test. */
import { PassThrough } from 'node:stream';
import { createApp, type App } from '../../src/app.ts';
import { loadHandler } from '../../src/chain/load.ts';
import type { Clock } from '../../src/clock.ts';
import { loadConfig, type LoadOptions } from '../../src/config/load.ts';
import { createLogger } from '../../src/log.ts';
import { startApiServer, type ApiServer, type ApiServerOptions } from '../../src/testing/api-server.ts';
import {
  startReceiver,
  type CapturedReceiver,
  type ReceiverAnswer,
  type CapturedRequest,
} from '../../src/testing/receiver.ts';
import { kwatchmanConfig, messages, type SlackAttachment } from './main-job.ts';
import { Workdir } from './program.ts';

export type Respond = (request: CapturedRequest, n: number) => ReceiverAnswer;

export interface RunOptions {
  /** The config file's text; default: kwatchman's example, with the world's receiver. */
  readonly config?: string;
  /** The config file's name: another tool's may end in `.yaml`. Default `config.toml`. */
  readonly file?: string;
  /** How the file is read; the environment of that is empty by default. */
  readonly reading?: Partial<Pick<LoadOptions, 'env' | 'lenient' | 'repeats'>>;
  readonly overrides?: { readonly namespace?: string; readonly labelSelector?: string };
  /** Keep the state after the app stops, for restarts; default: in memory. */
  readonly keepState?: boolean;
  readonly listen?: string;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Default: one for the world's cluster. */
  readonly kubeconfig?: string;
}

export interface Running extends AsyncDisposable {
  readonly app: App;
  /** The `log` handler's entries so far. */
  entries(): Record<string, unknown>[];
  /** The service's own log so far. */
  serviceLog(): string;
  /** Rewrites the config file, and makes the app reload it. */
  reload(config: string): Promise<void>;
}

export class World implements AsyncDisposable {
  readonly server: ApiServer;
  readonly slack: CapturedReceiver;
  readonly workdir: Workdir;

  private constructor(server: ApiServer, slack: CapturedReceiver, workdir: Workdir) {
    this.server = server;
    this.slack = slack;
    this.workdir = workdir;
  }

  static async start(respond: Respond = () => ({ body: 'ok' }), cluster: ApiServerOptions = {}): Promise<World> {
    return new World(await startApiServer(cluster), await startReceiver(respond), await Workdir.make());
  }

  /** Starts the app; resolves when every scope is listed and watched. */
  async run(options: RunOptions = {}): Promise<Running> {
    const name = options.file ?? 'config.toml';
    const file = await this.workdir.write(name, options.config ?? kwatchmanConfig(this.slack.url));
    const kubeconfig = options.kubeconfig ?? (await this.server.writeKubeconfig(this.workdir.file('kubeconfig')));
    const [stdout, stderr] = [capture(), capture()];
    const env = { HOME: this.workdir.path, XDG_STATE_HOME: this.workdir.path };
    const overrides = { kubeconfig, ...options.overrides };
    const load = () => loadConfig(file, { env, loadHandler, overrides, ...options.reading });
    const config = await load();
    const app = createApp({
      config,
      env,
      log: createLogger({ level: 'debug', format: 'json', color: false, stream: stderr.stream }),
      stdout: stdout.stream,
      storeFile: options.keepState === true ? undefined : ':memory:',
      listen: options.listen,
      clock: options.clock,
    });
    try {
      await app.start();
      await app.idle();
    } catch (error) {
      await app.stop(0);
      throw error;
    }
    return {
      app,
      entries: () => stdout.lines().map((line) => JSON.parse(line) as Record<string, unknown>),
      serviceLog: () => stderr.lines().join('\n'),
      reload: async (text) => {
        await this.workdir.write(name, text);
        await app.reload(await load());
      },
      [Symbol.asyncDispose]: () => app.stop(),
    };
  }

  messages(): SlackAttachment[] {
    return messages(this.slack);
  }

  titles(): string[] {
    return this.messages().map(({ title }) => title);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
    await this.slack.close();
    await this.workdir[Symbol.asyncDispose]();
  }
}

function capture(): { stream: PassThrough; lines(): string[] } {
  const stream = new PassThrough();
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return { stream, lines: () => text.split('\n').filter(Boolean) };
}
