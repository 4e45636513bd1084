import type { SessionId, Token } from '../../core/ids.ts';
import type { Lock, Waiter } from './state.ts';

/**
 * Something that became different of what outlives a restart. It is to be written as it stands when it is written, or
 * erased where it is gone by then, so it does no harm to name it twice.
 */
export type Change =
  | { readonly kind: 'session'; readonly id: SessionId }
  /** Holder and memory of a lock, without its queue. */
  | { readonly kind: 'lock'; readonly lock: Lock }
  | { readonly kind: 'waiter'; readonly waiter: Waiter }
  | { readonly kind: 'farewell'; readonly lock: Lock; readonly key: string }
  | { readonly kind: 'spent'; readonly lock: Lock; readonly token: Token };
