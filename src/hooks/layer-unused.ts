/**
 * Thrown by a download that cannot use the lock for now and has read nothing: the lock is declined, so the next in the
 * queue gets it at once and nobody hears of a failure. Whoever runs the layer gets this very error.
 */
export class LockUnused extends Error {
  override readonly name = 'LockUnused';
}
