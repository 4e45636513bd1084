/**
 * What the machine, the entries and the snapshots of this release are, as a number: servers with the same one come to the
 * same from the same entries, whatever their releases, so they may run together.
 *
 * It goes up with every change by which two servers could come to something else, or by which one could not read what the
 * other wrote. A test holds a sum of the code beside it.
 */
export const rules = 1;
