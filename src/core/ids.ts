/** A nominal type: two strings with different brands are not interchangeable. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** Label of a machine or store that pulls, as people know it. Only a label when a session is present. */
export type NodeId = Brand<string, 'NodeId'>;
/** Names one live connection of a node process to a lock server: the identity behind its requests. */
export type SessionId = Brand<string, 'SessionId'>;
/** Names one content store. Sessions with the same store id share it and form one domain. */
export type StoreId = Brand<string, 'StoreId'>;
/** Names one acquire so that a repeated request is recognised and never enqueued twice. */
export type RequestId = Brand<string, 'RequestId'>;
/** Fencing token of one grant: a safe integer that strictly increases over the life of the service. */
export type Token = Brand<number, 'Token'>;

export const toNodeId = (text: string): NodeId => text as NodeId;
export const toSessionId = (text: string): SessionId => text as SessionId;
export const toStoreId = (text: string): StoreId => text as StoreId;
export const toRequestId = (text: string): RequestId => text as RequestId;
export const toToken = (value: number): Token => value as Token;
