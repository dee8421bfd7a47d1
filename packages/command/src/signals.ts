const caught = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * The first INT, TERM or HUP ends the verb through `abort`, so that it puts things back; a second one ends us at once.
 * The signal that came is raised again by `raise`, so that a shell sees how we ended.
 */
export function catchSignals(abort: () => void): { raise(): boolean; restore(): void } {
  let came: NodeJS.Signals | undefined;
  const restore = () => {
    for (const name of caught) process.removeListener(name, onSignal);
  };
  const onSignal = (name: NodeJS.Signals) => {
    if (came !== undefined) {
      restore();
      process.kill(process.pid, name);
    }
    came = name;
    abort();
  };
  for (const name of caught) process.on(name, onSignal);
  const raise = () => {
    restore();
    return came !== undefined && process.kill(process.pid, came);
  };
  return { raise, restore };
}
