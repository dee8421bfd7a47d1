import { readdirSync } from 'node:fs';
import { join } from 'node:path';

interface Schema {
  safeParse(record: unknown): { error?: { issues: unknown[] } };
}

const folder = join(import.meta.dirname, '../src/records');
const files = readdirSync(folder).map((name) => import(join(folder, name)) as Promise<Record<string, Schema>>);
const schemas: Record<string, Schema> = Object.assign({}, ...(await Promise.all(files)));

/** What of a record is not what the schema of its kind says; all of it when there is no such schema. */
export const misfits = (record: Record<string, unknown>): unknown[] => {
  const schema = schemas[String(record.kind)];
  return schema === undefined ? [record] : (schema.safeParse(record).error?.issues ?? []);
};
