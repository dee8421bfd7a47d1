/** The beginning of every record about a volume. */
export const about = <K extends string>(kind: K, volume: string) =>
  ({ apiVersion: 'platter.dev/v1', kind, metadata: { name: volume }, volume }) as const;
