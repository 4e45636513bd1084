/**
 * Messages as the loader gives and takes them: names in camel case, every field of a reply set, 64-bit numbers as
 * numbers. Revisions count writes and stay far below 2 to the 53; ids of leases are chosen here, below it.
 */

export interface Header {
  readonly revision: number;
}

export interface KeyValue {
  readonly key: Buffer;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly value: Buffer;
}

/** Keys from `key` up to `rangeEnd`, which stays out; without an end the one key. */
export interface KeyRange {
  readonly key: Buffer;
  readonly rangeEnd?: Buffer;
}

export interface RangeRequest extends KeyRange {
  readonly limit?: number;
  /** Default: the latest. */
  readonly revision?: number;
  /** Answered by the member alone, from what it has. */
  readonly serializable?: boolean;
  readonly keysOnly?: boolean;
}

export interface RangeReply {
  readonly header: Header;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
}

export interface CompareMessage extends KeyRange {
  readonly result: 'EQUAL';
  readonly target: 'CREATE' | 'MOD';
  readonly createRevision?: number;
  readonly modRevision?: number;
}

export interface OperationMessage {
  readonly requestRange?: RangeRequest;
  readonly requestPut?: { readonly key: Buffer; readonly value: Buffer; readonly lease?: number };
  readonly requestDeleteRange?: KeyRange;
}

export interface TxnRequest {
  readonly compare: readonly CompareMessage[];
  readonly success: readonly OperationMessage[];
  readonly failure: readonly OperationMessage[];
}

export interface TxnReply {
  readonly header: Header;
  readonly succeeded: boolean;
  readonly responses: readonly { readonly responseRange?: RangeReply | null }[];
}

export interface WatchRequest {
  readonly createRequest?: KeyRange & { readonly startRevision: number; readonly fragment: boolean };
  readonly progressRequest?: Readonly<Record<string, never>>;
}

export interface EventMessage {
  readonly type: 'PUT' | 'DELETE';
  readonly kv: KeyValue;
}

export interface WatchReply {
  readonly header: Header;
  readonly created: boolean;
  readonly canceled: boolean;
  /** Set where the revision asked for was compacted. */
  readonly compactRevision: number;
  readonly cancelReason: string;
  /** The next reply goes on with the same revisions. */
  readonly fragment: boolean;
  readonly events: readonly EventMessage[];
}

export interface LeaseGrantRequest {
  /** Seconds. */
  readonly TTL: number;
  readonly ID: number;
}

export interface LeaseGrantReply {
  readonly ID: number;
  /** Seconds; etcd may give more than was asked for. */
  readonly TTL: number;
}

export interface LeaseIdMessage {
  readonly ID: number;
}

export interface LeaseKeepAliveReply {
  readonly ID: number;
  /** Seconds; 0: there is no such lease. */
  readonly TTL: number;
}

export interface AuthenticateRequest {
  readonly name: string;
  readonly password: string;
}

export interface AuthenticateReply {
  readonly token: string;
}
