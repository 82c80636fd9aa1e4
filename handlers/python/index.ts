import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { defineTransform } from '../../src/chain/handler.ts';
import { durationFrom, durationMs } from '../../src/config/duration.ts';
import { filePath, workingFolder } from '../../src/config/paths.ts';
import { ConfigError, toError } from '../../src/errors.ts';
import type { Logger } from '../../src/log.ts';
import { requestOf, verdictOf, type Answer } from '../../src/plugin/contract.ts';
import { LineProgram } from '../../src/plugin/lines.ts';
import type { ProgramSpec } from '../../src/plugin/process-group.ts';
import { pythonLevel, logAt, type PythonLevel } from '../../src/plugin/python-log.ts';

const RUNNER = fileURLToPath(new URL('./runner.py', import.meta.url));

const texts = z.record(z.string(), z.string());

const options = z.strictObject({
  plugin: z
    .string()
    .regex(/^\w[\w-]*$/, 'must be the name of a Python module, without "plugin_"')
    .describe('The module or package `plugin_NAME` with `handle_event`.')
    .meta({ example: 'dns' }),
  path: z
    .array(filePath)
    .default([])
    .describe('Folders to search for it, before those of `PYTHONPATH`; relative to the configuration.')
    .meta({ example: ['plugins'] }),
  section: texts
    .default({})
    .describe('The `config` that the plug-in gets: strings, as in its section of an ini file.')
    .meta({ example: { dns_server: '10.0.0.10' } }),
  watcher: texts
    .default({})
    .describe('The members of `watcher.config`: `k8s_endpoint`, `k8s_namespace`, `k8s_token`, `k8s_ca`, ...')
    .meta({ example: { k8s_endpoint: 'api.example:6443' } }),
  python: z
    .string()
    .min(1)
    .default('python3')
    .describe('The interpreter, 3.6 or later.')
    .meta({ example: 'python3.11' }),
  cwd: workingFolder,
  timeout: durationFrom('1ms')
    .default('30s')
    .describe(
      'Time limit for loading the plug-in, and for one change, without those before it. A plug-in that takes longer is stopped, and started again for the next change.',
    )
    .meta({ example: '5s' }),
  env: texts
    .default({})
    .describe('Its whole environment apart from `PATH` and `PYTHONPATH`, unless it inherits ours.')
    .meta({ example: { API_TOKEN: '${API_TOKEN}' } }),
  inheritEnv: z
    .boolean()
    .default(false)
    .describe("Whether it inherits the service's environment, secrets included.")
    .meta({ example: true }),
});

export default defineTransform({
  name: 'python',
  summary: 'Runs a plug-in of the Event Controller unchanged: a Python function handle_event(watcher, event, config).',
  description: [
    'Disabled unless the service is started with `--enable-exec`, except for configurations of the Event Controller itself. Requires Python 3 and only its standard library.',
    'The plug-in gets `{type: "ADDED" | "MODIFIED" | "DELETED", object: {...}}` and returns `(message, level)`, directly or as a coroutine; the message goes to the service\'s own log. `handle_event(event)` and `handle_event(event, config)` work too. Every change passes, with the answer in `change.notes.answers`.',
    'An exception or any other return value is a failed attempt. If the plug-in takes too long or exits, its pending changes fail, only its own chain is delayed, and it is restarted: after 0.5 s, then twice as long each time up to 30 s. Its output goes to the log.',
  ].join('\n\n'),
  options,
  runsPrograms: true,
  examples: [
    {
      title: 'plugins/plugin_dns.py or plugins/plugin_dns/__init__.py',
      toml: '[[handler]]\nname = "python"\nplugin = "dns"\npath = ["plugins"]\nsection = { dns_server = "10.0.0.10" }\n',
    },
  ],
  // LineProgram limits the time: only it knows what the plug-in has answered so far.
  deadlineMs: () => Infinity,
  create({ plugin, path, section, watcher, python, cwd, env, inheritEnv, timeout }, { clock, log }) {
    const spec: ProgramSpec = { command: [python, RUNNER], cwd, env: environmentOf(env, inheritEnv) };
    const level = log.isDebugEnabled() ? 'DEBUG' : 'INFO';
    const hello = JSON.stringify({ plugin, path, section, watcher, level });
    const program = new LineProgram({ spec, clock, log, timeoutMs: durationMs(timeout), greeting: hello });
    const writeLogs = logWriter(log, plugin);
    return {
      /** @throws ConfigError if the plug-in cannot be loaded */
      async start() {
        const { error } = await program.request(0, '{"id":0}').catch((cause: unknown) => {
          throw new Error(`Cannot load plugin_${plugin}: ${toError(cause).message}`, { cause });
        });
        if (error === undefined) return;
        await program.stop();
        const folders = new Set([...path, ...(spec.env['PYTHONPATH']?.split(':') ?? [])]);
        throw new ConfigError([`${error}; looked in ${[...folders].join(', ') || 'no folder: set path'}`]);
      },
      async handle(change, context) {
        const answer = await program.request(change.id, requestOf(change, context), context.signal);
        writeLogs(answer);
        return verdictOf(answer, change, context);
      },
      stop: () => program.stop(),
    };
  },
});

function environmentOf(own: Readonly<Record<string, string>>, inheritEnv: boolean): Record<string, string> {
  const ours = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && (inheritEnv || entry[0] === 'PATH' || entry[0] === 'PYTHONPATH'),
  );
  return { ...Object.fromEntries(ours), ...own };
}

interface Said {
  readonly message?: unknown;
  readonly level?: unknown;
}

/** Logs what the plug-in has logged and returned. An unknown level counts as INFO, with one warning. */
function logWriter(log: Logger, plugin: string): (answer: Answer) => void {
  const unknown = new Set<string>();
  const levelOf = (written: string): PythonLevel => {
    const level = pythonLevel(written);
    if (level === undefined && !unknown.has(written) && unknown.size < 100) {
      unknown.add(written);
      log.warn('A plug-in uses an unknown level: logging at INFO', { plugin, named: written });
    }
    return level ?? 'INFO';
  };
  return ({ notes }) => {
    const { log: logged, ...own } = notes ?? {};
    for (const { message, level } of [...(Array.isArray(logged) ? logged : []), own] as Said[]) {
      if (typeof message === 'string' && typeof level === 'string') logAt(log, levelOf(level), message);
    }
  };
}
