import { join } from 'node:path';
import type { Call } from '@platter/command/call';
import { Failure } from '@platter/host/failure';
import { list, text } from '@platter/host/looks';
import { Invalid } from '@platter/units/invalid';
import { parseAllDocuments } from 'yaml';
import { lvmVolumeGroupOf } from './deckhouse.ts';
import { checkSpec } from './spec.ts';
import { type DocumentSpec, volumeGroupOf } from './volume-group.ts';

/** Reads the groups of a file, of all `*.yaml` of a directory, or of stdin (`-`): YAML, JSON, JSON lines, or a List. */
export async function ofDocuments(call: Call<unknown>, from: string): Promise<DocumentSpec[]> {
  const specs: DocumentSpec[] = [];
  for (const content of await contents(call, from))
    for (const [at, document] of documentsIn(content).entries()) specs.push(specOf(call, document, at + 1));
  const names = specs.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new Invalid(`the group "${twice}" is there twice`);
  return specs;
}

async function contents(call: Call<unknown>, from: string): Promise<string[]> {
  if (from === '-') return [Buffer.from(await call.input()).toString('utf8')];
  const path = from.startsWith('/') ? from : join(call.cwd, from);
  const entries = await call.host.query(list(path));
  const paths = entries?.filter(({ name }) => name.endsWith('.yaml')).map(({ name }) => join(path, name)) ?? [path];
  return Promise.all(paths.map((one) => contentOf(call, one)));
}

async function contentOf({ host }: Call<unknown>, path: string): Promise<string> {
  const content = await host.query(text(path));
  if (content === null) throw new Failure('usage', `${path} is not there`);
  return content;
}

/** The documents of a text, a List taken apart; JSON lines are documents too. */
export function documentsIn(content: string): unknown[] {
  const lines = content.split('\n').filter((line) => line.trim() !== '');
  const parsed = lines.map(jsonOf);
  const documents = lines.length > 0 && !parsed.includes(undefined) ? parsed : yamlIn(content);
  return documents.flatMap((document) => itemsOf(document) ?? [document]);
}

function jsonOf(line: string): unknown {
  try {
    return line.startsWith('{') ? JSON.parse(line) : undefined;
  } catch {
    return undefined;
  }
}

function yamlIn(content: string): unknown[] {
  const documents = parseAllDocuments(content);
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document, at) => {
    const [error] = document.errors;
    if (error !== undefined) throw new Invalid(`document ${at + 1} is not YAML: ${error.message.split('\n')[0]}`);
    const value = document.toJS() as unknown;
    return value === null ? [] : [value];
  });
}

function itemsOf(document: unknown): unknown[] | null {
  const { kind, items } = (document ?? {}) as { kind?: unknown; items?: unknown };
  return kind === 'List' && Array.isArray(items) ? items : null;
}

function specOf(call: Call<unknown>, document: unknown, at: number): DocumentSpec {
  const { kind } = (document ?? {}) as { kind?: unknown };
  try {
    const spec = kind === 'LVMVolumeGroup' ? lvmVolumeGroupOf(document, call.note) : volumeGroupOf(document);
    checkSpec({ ...spec, reserve: spec.reserve ?? { percent: 0, floor: 0 } });
    return spec;
  } catch (error) {
    if (error instanceof Invalid) throw new Invalid(`document ${at}: ${error.message}`);
    throw error;
  }
}
