import * as z from 'zod/mini';

/** What many records are made of. Sizes in bytes, times RFC 3339, `Ms` in milliseconds; null is "none". */
export const text = z.nullable(z.string());
export const number = z.nullable(z.number());
export const metadata = z.object({ name: z.string() });
export const consistency = z.nullable(z.enum(['frozen', 'crash', 'unclean']));
