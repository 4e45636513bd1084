export type { Clock } from './core/clock.ts';
export { systemClock } from './core/clock.ts';
export type { Descriptor, Platform } from './core/descriptor.ts';
export { formatPlatform, parsePlatform } from './core/descriptor.ts';
export type { Digest } from './core/digest.ts';
export { digestOf, isDigest, parseDigest } from './core/digest.ts';
export type { ErrorCode, ErrorDetails, ErrorOrigin } from './core/errors.ts';
export { errorTable, exitCodes, isLayerpullError, LayerpullError } from './core/errors.ts';
export type { NodeId, RequestId, SessionId, StoreId, Token } from './core/ids.ts';
export { toNodeId, toRequestId, toSessionId, toStoreId, toToken } from './core/ids.ts';
export type { Log } from './core/log.ts';
export { silentLog } from './core/log.ts';
export type { RunLayerOptions } from './hooks/layer.ts';
export { runLayer } from './hooks/layer.ts';
export type { LayerCallbacks, OperationResult } from './hooks/layer-callbacks.ts';
export type { DeleteLayerOptions, DeleteOutcome } from './hooks/layer-delete.ts';
export { deleteLayer } from './hooks/layer-delete.ts';
export type { LayerEvent, LayerOutcome } from './hooks/layer-events.ts';
export type { Giver } from './hooks/layer-givers.ts';
export type { Slot, Slots } from './hooks/layer-slots.ts';
export { LockUnused } from './hooks/layer-unused.ts';
export type { HttpLocksOptions, HttpLocksTimeouts } from './lock/backends/http/http-locks.ts';
export { createHttpLocks } from './lock/backends/http/http-locks.ts';
export { createMemoryLocks } from './lock/backends/memory.ts';
export type * from './lock/locks.ts';
export type { NodeState, NodeView } from './lock/nodes.ts';
export type { PolledReply, PollOptions } from './lock/poll-status.ts';
export { acquireByPolling } from './lock/poll-status.ts';
export type { LockSession, LockSessionOptions } from './lock/session.ts';
export { openLockSession } from './lock/session.ts';
export type { SessionBounds } from './lock/session-bounds.ts';
export type {
  LayerResult,
  LayerSource,
  OutcomeKind,
  OutputResult,
  PlatformResult,
  PullEvent,
  PullResult,
} from './orchestrator/events.ts';
export { createSlots } from './orchestrator/pool.ts';
export { createRegistry } from './registry/client.ts';
export type { Credential, Credentials } from './registry/credentials/credentials.ts';
export type { CredentialFile, FileCredentialsOptions } from './registry/credentials/files.ts';
export { createFileCredentials } from './registry/credentials/files.ts';
export type {
  Document,
  ImageRegistry,
  ManifestParts,
  PlatformImage,
  ResolvedImage,
  ResolveOptions,
  SharedDocuments,
  StoredDocuments,
} from './registry/image-registry.ts';
export type { ImageReference } from './registry/reference.ts';
export { formatReference, parseReference } from './registry/reference.ts';
export type { BlobSource, OpenBlob } from './source/blob-source.ts';
export type {
  BlobStore,
  ByteRange,
  Deletion,
  DeletionOptions,
  Ingest,
  IngestOptions,
  Writer,
} from './store/blob-store.ts';
export type { Garbage, Leftover } from './store/garbage.ts';
export type { ImageRecord, ImageStore } from './store/image-store.ts';
export { openStore } from './store/oci-layout.ts';
export type * from './store/references.ts';
