import * as z from 'zod/mini';

export const metadata = z.object({ name: z.string() });
export const count = z.number();
