import * as z from 'zod/mini';

/** The JSON Schema of each record kind a tool's records module exports, by kind. */
export function jsonSchemas(module: Record<string, unknown>): Record<string, object> {
  const schemas = Object.values(module).filter((value) => value instanceof z.ZodMiniObject);
  const named = schemas.flatMap((schema) => {
    const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as {
      properties?: { kind?: { const?: string } };
    };
    const kind = json.properties?.kind?.const;
    return kind === undefined ? [] : [[kind, json] as const];
  });
  return Object.fromEntries(named);
}
