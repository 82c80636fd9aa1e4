/** Descriptions of queries and bodies for /openapi.json, from the schemas that check them. */
import { z } from 'zod';

/** The JSON Schema of each member of an object. */
export function propertiesOf(schema: z.ZodType): Readonly<Record<string, object>> {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' });
  return properties as Readonly<Record<string, object>>;
}
