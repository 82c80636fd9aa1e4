/** Paths in options: relative to the file that contains them, like every path in a configuration. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { isTable, mapValues } from './expand.ts';

const HOME = /^~(?:\/|$)/;
/** Taken literally, the path would be that of a folder named `~` beside the configuration. */
export const notOfHome = (path: string): boolean => !HOME.test(path);
export const OF_HOME = 'must not begin with ~, which only a shell replaces: write ${HOME}';

/** The path of a file or folder. Written relative to the configuration, absolute when the schema and the handler see it. */
export const filePath = z.string().min(1).refine(notOfHome, { error: OF_HOME }).meta({ isPath: true });

/** The option `cwd` of handlers that run a program. */
export const workingFolder = filePath
  .default('.')
  .describe("The working directory; the default is the configuration file's folder.")
  .meta({ example: 'plugins' });

/** Whether the file exists and Node's permission model lets us see it, under which `existsSync` throws for paths not allowed. */
export function isThere(path: string): boolean {
  try {
    return existsSync(path);
  } catch {
    return false;
  }
}

/** A copy of the options in which each {@link filePath} is absolute, including defaults of those left out. */
export function resolvePaths(value: unknown, schema: z.core.$ZodType, folder: string): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) {
    return resolvePaths(value, schema.unwrap(), folder);
  }
  if (schema instanceof z.ZodObject && isTable(value)) {
    const { shape } = schema;
    const left = Object.entries(shape).filter(
      ([key, field]) => field instanceof z.ZodDefault && !Object.hasOwn(value, key),
    );
    const defaults = left.flatMap(([key, field]) =>
      isFilePath(field.unwrap()) ? [[key, field.def.defaultValue]] : [],
    );
    return mapValues({ ...Object.fromEntries(defaults), ...value }, (inner, key) => {
      const field: unknown = Object.hasOwn(shape, key) ? shape[key] : undefined;
      return field instanceof z.ZodType ? resolvePaths(inner, field, folder) : inner;
    });
  }
  if (schema instanceof z.ZodArray && Array.isArray(value))
    return value.map((element: unknown) => resolvePaths(element, schema.element, folder));
  const isPath = isFilePath(schema) && typeof value === 'string' && value !== '' && notOfHome(value);
  return isPath ? resolve(folder, value) : value;
}

function isFilePath(schema: z.core.$ZodType): boolean {
  return z.globalRegistry.get(schema)?.['isPath'] === true;
}
