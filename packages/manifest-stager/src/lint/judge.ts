import { Failure } from '@platter/host/failure';
import { type Finding, type Item, readObjects } from '../objects.ts';
import { perConsumer } from './consumers.ts';
import { firstBoot } from './first-boot.ts';
import { general } from './general.ts';
import { findings, type Subject } from './rule.ts';

const rules = [...general, ...perConsumer, ...firstBoot];

/** Every rule of severity error that the objects break by themselves, in the order of the file. */
export function judged(subject: Subject): Finding[] {
  const found = rules.filter((rule) => rule.applies(subject)).flatMap((rule) => findings(rule, subject));
  return found.sort(
    (a, b) => a.line - b.line || a.column - b.column || (a.rule < b.rule ? -1 : Number(a.rule > b.rule)),
  );
}

const said = (file: string, { line, column, rule, message }: Finding) =>
  `${file}:${line}:${column}: ${rule} ${message}`;

/** The objects of content that can be read; else Failure usage. `file` is for messages. */
export function readable(content: Uint8Array, file: string): Item[] {
  const { items, findings } = readObjects(content);
  refuse(findings, file);
  return items;
}

/** The objects when they keep every rule; else Failure usage with all that is wrong. */
export function acceptable(subject: Subject, file: string): readonly Item[] {
  refuse(judged(subject), file);
  return subject.items;
}

function refuse([first, ...others]: readonly Finding[], file: string): void {
  if (first === undefined) return;
  const also = others.slice(0, 9).map((finding) => said(file, finding));
  const more = others.length > 9 ? [`and ${others.length - 9} more`] : [];
  const details: Record<string, string> = others.length > 0 ? { also: [...also, ...more].join('\n') } : {};
  throw new Failure('usage', said(file, first), { hint: first.hint, details });
}
