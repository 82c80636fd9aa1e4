import { z } from 'zod';
import { defineTransform, halt, type Halt, type HandlerContext } from '../../src/chain/handler.ts';
import type { Change } from '../../src/change.ts';
import { durationFrom, durationMs } from '../../src/config/duration.ts';
import { workingFolder } from '../../src/config/paths.ts';
import { RetryAfterError, TerminalError } from '../../src/errors.ts';
import { parseAnswer, requestOf, verdictOf } from '../../src/plugin/contract.ts';
import { LineProgram } from '../../src/plugin/lines.ts';
import { describeEnd, type ProgramSpec } from '../../src/plugin/process-group.ts';
import { runOnce, type ProgramResult } from '../../src/plugin/run-once.ts';

/** `EX_TEMPFAIL` and `EX_DATAERR` of sysexits.h, and one of our own. */
const EXIT = { pass: 0, halt: 10, later: 75, never: 65 } as const;
const MAX_STDERR_CHARS = 300;

const options = z.strictObject({
  command: z
    .tuple([z.string().min(1)], z.string())
    .describe('The program and its arguments, run without a shell. A program with a "/" in it is relative to `cwd`.')
    .meta({ example: ['./page-me', '--quiet'] }),
  mode: z
    .enum(['once', 'lines'])
    .default('once')
    .describe(
      '`"once"`: one process per change, which reads one JSON object from standard input until its end. `"lines"`: one process for all changes, which reads one line of JSON per change and writes one line per answer, with the `id` of the request.',
    )
    .meta({ example: 'lines' }),
  cwd: workingFolder,
  timeout: durationFrom('1ms')
    .default('30s')
    .describe(
      'Time limit for one change. A program that takes longer is stopped. In the mode `lines`, the time of a change begins when the program has answered those before it.',
    )
    .meta({ example: '5s' }),
  env: z
    .record(z.string(), z.string())
    .superRefine((variables, context) => {
      for (const name of Object.keys(variables)) {
        if (/^[A-Za-z_]\w*$/.test(name)) continue;
        context.addIssue({ code: 'custom', message: 'must be the name of a variable', path: [name] });
      }
    })
    .default({})
    .describe('Its whole environment apart from `PATH`: nothing else of ours is passed on.')
    .meta({ example: { API_TOKEN: '${API_TOKEN}' } }),
});

export default defineTransform({
  name: 'exec',
  summary: 'Runs a program for each change. It can let the change pass, halt it, or leave notes for later handlers.',
  description: [
    'Disabled unless the service is started with `--enable-exec`.',
    'The program gets the change as JSON on standard input, never as arguments: see [plugins.md](../plugins.md) for the contract, which all kinds of plug-ins share. It may answer `{"verdict": "pass"}` or `{"verdict": "halt", "reason": "..."}`, with `notes` for later handlers. Without an answer its exit code decides: 0 passes, 10 halts with its standard error output as the reason, 75 waits and asks again without using up a retry, 65 makes the change a dead letter at once, and any other code is a failed attempt.',
    'The program runs in its own process group, which is stopped at the timeout, when the program writes more than 1 MiB, and when it leaves processes behind. Processes of another user, such as those started by `sudo`, are left running. The `concurrency` of the chain limits how many run at once.',
    'Like any handler, it runs again when a later handler of its chain fails; each run for a change has the same `idempotencyKey`. Put what must not happen twice last, or in a branch.',
  ].join('\n\n'),
  options,
  runsPrograms: true,
  examples: [
    {
      title: 'A script that decides whether to page somebody',
      toml: '[[handler]]\nname = "exec"\ncommand = ["./page-me", "--quiet"]\ntimeout = "10s"\n',
    },
    {
      title: 'A long-running filter in Python',
      toml: '[[handler]]\nname = "exec"\nmode = "lines"\ncommand = ["python3", "-u", "./on-call.py"]\nenv = { TEAM = "shop" }\n',
    },
  ],
  // In the mode `lines`, LineProgram limits the time: only it knows what the program has answered so far.
  deadlineMs: ({ mode, timeout }) => (mode === 'lines' ? Infinity : durationMs(timeout)),
  create({ command, mode, cwd, env, timeout }, { clock, log }) {
    const spec: ProgramSpec = { command, cwd, env: { PATH: process.env['PATH'] ?? '', ...env } };
    if (mode === 'once') {
      return {
        async handle(change, context) {
          const ran = await runOnce(spec, requestOf(change, context), { signal: context.signal, clock });
          return verdictOfExit(ran, change, context);
        },
      };
    }
    const program = new LineProgram({ spec, clock, log, timeoutMs: durationMs(timeout) });
    return {
      async handle(change, context) {
        const answer = await program.request(change.id, requestOf(change, context), context.signal);
        return verdictOf(answer, change, context);
      },
      stop: () => program.stop(),
    };
  },
});

/** The answer counts only if the program exited with 0; otherwise its exit code decides. */
function verdictOfExit(ran: ProgramResult, change: Change, context: HandlerContext): Change | Halt {
  const message = ran.stderr.trim().slice(-MAX_STDERR_CHARS);
  if (ran.code === EXIT.pass) return verdictOf(parseAnswer(ran.stdout), change, context);
  if (ran.code === EXIT.halt) return halt(message || 'it gave no reason');
  if (ran.code === EXIT.later) throw new RetryAfterError(`it asks to be run again later${message && `: ${message}`}`);
  if (ran.code === EXIT.never) throw new TerminalError(`it refuses the change${message && `: ${message}`}`);
  throw new Error(`it ended with ${describeEnd(ran)}${message && `: ${message}`}`);
}
