import type { Digest } from '../core/digest.ts';
import type { NodeId, Token } from '../core/ids.ts';
import type { Source } from './sources.ts';
import type { HolderView, OperationType } from './terms.ts';

/** The answer to "how does it stand for me?", as older clients ask it. Asking keeps a place and claims a grant. */
export interface StatusReply {
  /** Whether the one who asks holds the lock. */
  readonly acquired: boolean;
  /** Whether the last operation of this type ended, and how. */
  readonly completed: boolean;
  readonly success: boolean;
  /** Set only on a refusal. */
  readonly error?: string;
  readonly view: ResourceView;
}

/** One resource in one domain, for people. Ages are milliseconds before the answer. */
export interface ResourceView {
  readonly resourceId: Digest;
  /** `default`, or the id of the store that its sessions share. */
  readonly domain: string;
  readonly holder?: HolderView & {
    readonly type: OperationType;
    readonly token: Token;
    readonly heldMs: number;
    /** Bytes as last reported. */
    readonly offset: number;
    readonly total: number;
    /** Where a pull was told to read; absent where nobody tells it. */
    readonly source?: Source;
  };
  readonly queue: readonly (HolderView & {
    readonly type: OperationType;
    readonly position: number;
    readonly waitingMs: number;
  })[];
  /** Nodes known to have this resource here, and where they serve it, if they do. */
  readonly copies: readonly (HolderView & { readonly ageMs: number; readonly url?: string })[];
  readonly lastError?: { readonly nodeId: NodeId; readonly message: string; readonly ageMs: number };
}

export interface ListQuery {
  /** Beginning of a digest, with or without `sha256:`. Default: everything active. */
  readonly prefix?: string;
  /** Default 1,000. */
  readonly limit?: number;
}
