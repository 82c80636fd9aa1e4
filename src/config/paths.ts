/** Paths in options: relative to the file that names them, as every path in a configuration. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { isTable, mapValues } from './expand.ts';

/** The path of a file or folder. Written relative to the configuration, absolute when the schema and the handler see it. */
export const filePath = z.string().min(1).meta({ isPath: true });

/** A copy of the options in which each {@link filePath} is absolute. */
export function resolvePaths(value: unknown, schema: z.core.$ZodType, folder: string): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) {
    return resolvePaths(value, schema.unwrap(), folder);
  }
  if (schema instanceof z.ZodObject && isTable(value)) {
    const { shape } = schema;
    return mapValues(value, (inner, key) => {
      const field: unknown = Object.hasOwn(shape, key) ? shape[key] : undefined;
      return field instanceof z.ZodType ? resolvePaths(inner, field, folder) : inner;
    });
  }
  const isPath = z.globalRegistry.get(schema)?.['isPath'] === true;
  return isPath && typeof value === 'string' && value !== '' ? resolve(folder, value) : value;
}
