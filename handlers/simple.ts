import { z } from 'zod';
import { defineTransform } from '../src/chain/handler.ts';
import { eventOf } from '../src/plugin/python-event.ts';
import { pythonLevel, logAt } from '../src/plugin/python-log.ts';

const options = z.strictObject({
  level: z
    .string()
    .default('INFO')
    .describe('The level of the lines: `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`, in upper or lower case.')
    .meta({ example: 'WARNING' }),
});

export default defineTransform({
  name: 'simple',
  summary: "Writes one line per change to the service's own log, like the Event Controller's plug-in of that name.",
  description:
    "The line reads `Kind: Route; Name: nodejs-ex; Event Type:ADDED`. Every change passes. Use `log` for entries that say what changed; use this handler if something reads the Event Controller's lines.",
  options,
  examples: [{ title: 'A line at level WARNING', toml: '[[handler]]\nname = "simple"\nlevel = "WARNING"\n' }],
  create({ level: written }, { log }) {
    const level = pythonLevel(written);
    if (level === undefined) log.warn('Unknown level: logging at INFO', { named: written });
    return {
      handle(change) {
        const { type } = eventOf(change);
        logAt(log, level ?? 'INFO', `Kind: ${change.gvk.kind}; Name: ${change.name}; Event Type:${type}`);
        return change;
      },
    };
  },
});
