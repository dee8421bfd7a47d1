/** Whether a value read from JSON has a shape. Fields it does not name are let through: they come from newer versions. */
export type Check<T> = (value: unknown) => value is T;

export const text = (value: unknown): value is string => typeof value === 'string';
export const number = (value: unknown): value is number => typeof value === 'number';
export const truth = (value: unknown): value is boolean => typeof value === 'boolean';
/** An integer of any size as decimal digits. */
export const decimal = (value: unknown): value is string => text(value) && /^\d+$/.test(value);

export const oneOf =
  <const C extends readonly unknown[]>(...some: C): Check<C[number]> =>
  (value): value is C[number] =>
    some.includes(value);

export const orNull =
  <T>(check: Check<T>): Check<T | null> =>
  (value): value is T | null =>
    value === null || check(value);

export const maybe =
  <T>(check: Check<T>): Check<T | undefined> =>
  (value): value is T | undefined =>
    value === undefined || check(value);

export const listOf =
  <T>(check: Check<T>): Check<T[]> =>
  (value): value is T[] =>
    Array.isArray(value) && value.every(check);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An object whose values all have one shape. */
export const mapOf =
  <T>(check: Check<T>): Check<Record<string, T>> =>
  (value): value is Record<string, T> =>
    isObject(value) && Object.values(value).every(check);

type Fields<S> = { [K in keyof S]: S[K] extends Check<infer T> ? T : never };

export const object =
  <const S extends Record<string, Check<unknown>>>(shape: S): Check<Fields<S>> =>
  (value): value is Fields<S> =>
    isObject(value) && Object.entries(shape).every(([key, check]) => check(value[key]));

/** The shape that a check accepts. */
export type Of<C> = C extends Check<infer T> ? T : never;
