import type { FakeBlob } from './content.ts';
import type { FaultPlan } from './faults.ts';
import type { InnerGate } from './gate.ts';

/** How the registry asks for access. `bearer` is the token flow: 401, `/token`, ok. `basic` never lets anyone in. */
export interface FakeAuth {
  readonly kind: 'bearer' | 'basic';
  /** Status of `/token`. Default 200. */
  readonly tokenStatus?: number;
  /** Name of the token's field in the reply. Default `token`. */
  readonly field?: 'token' | 'access_token';
  /** `expires_in`, in seconds. Absent by default. */
  readonly expiresIn?: number;
  /** Another realm than this server's `/token`. */
  readonly realm?: string;
  /** Refuses the token it gave, with 401. */
  readonly refusesToken?: boolean;
}

export interface LoggedRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  readonly accept: string | undefined;
  readonly userAgent: string | undefined;
  /** 0 while nothing is answered. */
  readonly status: number;
  /** Bytes of content sent so far. */
  readonly bytes: number;
}

/** An address that is good for one request. */
export interface Presigned {
  spent: boolean;
  /** How many bytes it gives before the connection breaks. */
  readonly afterBytes: number | undefined;
}

/** All that one fake registry knows. */
export interface State {
  readonly auth: FakeAuth | undefined;
  readonly blobs: Map<string, FakeBlob>;
  /** By `repository/name`, where the name is a tag or a digest. */
  readonly manifests: Map<string, FakeBlob>;
  /** Addresses given out by the fault `presigned`, by their number. */
  readonly presigned: Map<string, Presigned>;
  readonly gates: Map<string, InnerGate>;
  readonly faults: FaultPlan;
  readonly log: Writable<LoggedRequest>[];
  readonly arrivals: Set<() => void>;
  readonly closed: Promise<void>;
  host: string;
}

export type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
