/** Whether a value is what stands in a place. */
export type Test = (value: unknown) => boolean;
/** What an object must have; further members are let through. */
export type Shape = Test | { readonly [key: string]: Shape };

const fits = (value: unknown, shape: Shape): boolean => misfit(value, shape) === null;

export const text: Test = (value) => typeof value === 'string';
export const natural: Test = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
export const positive: Test = (value) => Number.isSafeInteger(value) && (value as number) > 0;
export const oneOf =
  (...values: readonly unknown[]): Test =>
  (value) =>
    values.includes(value);
export const matching =
  (pattern: RegExp): Test =>
  (value) =>
    typeof value === 'string' && pattern.test(value);
export const nullable =
  (shape: Shape): Test =>
  (value) =>
    value === null || fits(value, shape);
export const listOf =
  (shape: Shape, least = 0): Test =>
  (value) =>
    Array.isArray(value) && value.length >= least && value.every((one) => fits(one, shape));
export const mapOf =
  (shape: Shape): Test =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((one) => fits(one, shape));

/** The path of the first member that does not fit, `content` for the whole; null when all fits. */
export function misfit(value: unknown, shape: Shape, path: readonly string[] = []): string | null {
  if (typeof shape === 'function') return shape(value) ? null : path.join('.') || 'content';
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return path.join('.') || 'content';
  for (const [key, part] of Object.entries(shape)) {
    const wrong = misfit((value as Record<string, unknown>)[key], part, [...path, key]);
    if (wrong !== null) return wrong;
  }
  return null;
}
