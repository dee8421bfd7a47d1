import type { Consumer } from '../consumer.ts';
import type { Mode } from '../manifest.ts';
import { type Finding, type Item, labelOf } from '../objects.ts';
import type { Path } from '../yaml.ts';

/** What is judged: a manifest's content under its name, for the one who will read it. */
export interface Subject {
  name: string;
  mode: Mode;
  consumer: Consumer;
  items: readonly Item[];
}

/** Where a rule is broken: in an object (and a part of it), or in the file as a whole. */
export interface Spot {
  item?: Item;
  path?: Path;
  message: string;
  hint: string;
}

/** A rule of severity error that a file breaks by itself. */
export interface Rule {
  id: string;
  applies(subject: Subject): boolean;
  check(subject: Subject): Spot[];
}

/** A rule of the auto-deploy folder of some consumers: first-boot content never gets there. */
export const readBy =
  (...consumers: readonly Consumer[]) =>
  ({ mode, consumer }: Subject): boolean =>
    mode === 'every-boot' && consumers.includes(consumer);

/** A rule that looks at one object at a time. */
export const each =
  (check: (item: Item) => Omit<Spot, 'item'>[]) =>
  ({ items }: Subject): Spot[] =>
    items.flatMap((item) => check(item).map((spot) => ({ item, ...spot })));

/** What a rule finds, with the place of each spot. */
export function findings(rule: Rule, subject: Subject): Finding[] {
  return rule.check(subject).map(({ item, path, message, hint }) => ({
    rule: rule.id,
    ...(item === undefined ? { line: 1, column: 1 } : item.at(path)),
    object: item === undefined ? null : labelOf(item),
    message,
    hint,
  }));
}

/** An object in a message: `Job "report"`. */
export const quoted = ({ kind, name }: Item): string => `${kind || 'object'} ${JSON.stringify(name)}`;
