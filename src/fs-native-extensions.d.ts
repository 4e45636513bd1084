/** The package ships no types; this is the part used here. */
declare module 'fs-native-extensions' {
  interface LockOptions {
    /** A lock that others may share. Default false. */
    readonly shared?: boolean;
  }
  /** Takes an advisory lock on the whole file if nobody has one that excludes it. The kernel frees it with the descriptor. */
  export function tryLock(fd: number, options?: LockOptions): boolean;
  export function unlock(fd: number): void;
  const binding: { readonly tryLock: typeof tryLock; readonly unlock: typeof unlock };
  export default binding;
}
