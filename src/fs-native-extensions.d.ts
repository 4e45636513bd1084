/** The package ships no types; this is the part used here. */
declare module 'fs-native-extensions' {
  /** Takes an exclusive advisory lock on the whole file if nobody has it. The kernel frees it with the descriptor. */
  export function tryLock(fd: number): boolean;
  const binding: { readonly tryLock: typeof tryLock };
  export default binding;
}
