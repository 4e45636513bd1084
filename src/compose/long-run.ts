import v8 from 'node:v8';

/** What V8 takes by itself: bytes of code that run until a function is looked at for being optimised. */
const usualBudget = 66 * 1_024;

/**
 * For what runs for long and is called often. The program starts with code that is optimised late, which suits a pull
 * that is soon over; a server would never get to the end of warming up.
 */
export function optimiseForLong(): void {
  v8.setFlagsFromString(`--interrupt-budget=${usualBudget}`);
}
