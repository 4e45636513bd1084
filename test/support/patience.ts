/**
 * How long a test waits for what must come, in milliseconds, before it gives up and shows what it saw. No promise of
 * ours is in it: a machine that is busy with other things takes tens of seconds to start a few processes.
 */
export const patienceMs = 60_000;
