import * as v from 'valibot';
import { isDigest } from '../../core/digest.ts';
import { toNodeId, toRequestId, toSessionId, toStoreId, toToken } from '../../core/ids.ts';
import type { HolderView } from '../locks.ts';

/** Longest name of anything (node, session, store, zone, request), in characters. */
export const maxNameLength = 256;
/** Longer error texts are cut: they are for people, and the body of a request is limited. */
export const maxErrorLength = 1_000;
const maxUrlLength = 2_048;

const printable = /^[^\p{Cc}\p{Cs}]+$/u;

const name = v.pipe(
  v.string('must be text'),
  v.minLength(1, 'must not be empty'),
  v.maxLength(maxNameLength, `must not be longer than ${maxNameLength} characters`),
  v.regex(printable, 'must not contain control characters'),
);

export const nodeId = v.pipe(name, v.transform(toNodeId));
export const sessionId = v.pipe(name, v.transform(toSessionId));
export const storeId = v.pipe(name, v.transform(toStoreId));
export const requestId = v.pipe(name, v.transform(toRequestId));
export const zone = name;

export const url = v.pipe(
  v.string('must be text'),
  v.maxLength(maxUrlLength, `must not be longer than ${maxUrlLength} characters`),
  v.regex(/^https?:\/\/[^\s/]/, 'must be an http or https URL'),
  v.regex(printable, 'must not contain control characters'),
  v.url('must be an http or https URL'),
  // It is shown to everyone who asks for the nodes.
  v.check((value) => !value.includes('@') || isWithoutCredentials(value), 'must not contain credentials'),
);

function isWithoutCredentials(value: string): boolean {
  const { username, password } = new URL(value);
  return username === '' && password === '';
}

export const operationType = v.picklist(['pull', 'update', 'delete'], 'must be "pull", "update" or "delete"');

const digestRule = 'must be a digest: sha256: and 64, or sha512: and 128 hexadecimal digits in lower case';

export const resourceId = v.pipe(v.string('must be text'), v.guard(isDigest, digestRule));

export const count = v.pipe(
  v.number('must be a number'),
  v.safeInteger('must be a whole number'),
  v.minValue(0, 'must not be negative'),
);
export const position = v.pipe(count, v.minValue(1, 'must be at least 1'));
export const token = v.pipe(count, v.transform(toToken));
/** A duration; fractions are tolerated. */
export const milliseconds = v.pipe(
  v.number('must be a number'),
  v.finite('must be a number'),
  v.minValue(0, 'must not be negative'),
);
export const flag = v.boolean('must be true or false');
export const text = v.string('must be text');

/** Who holds or waits: `{ node_id, session_id? }`. */
export const holder = v.pipe(
  v.object({ node_id: nodeId, session_id: v.nullish(sessionId) }, 'must be an object'),
  v.transform((wire): HolderView => present({ nodeId: wire.node_id, sessionId: wire.session_id })),
);

export type WireHolder = { readonly node_id: string; readonly session_id?: string };

export function holderToWire(view: HolderView): WireHolder {
  return view.sessionId === undefined
    ? { node_id: view.nodeId }
    : { node_id: view.nodeId, session_id: view.sessionId };
}

export function optionalHolderToWire(view: HolderView | undefined): WireHolder | undefined {
  return view && holderToWire(view);
}

type Absent = null | undefined;
type MaybeAbsent<T> = { [K in keyof T]: Extract<T[K], Absent> extends never ? never : K }[keyof T];

/** The fields of `T`, where those that could be null or undefined are now optional. */
export type Present<T> = { [K in Exclude<keyof T, MaybeAbsent<T>>]: T[K] } & {
  [K in MaybeAbsent<T>]?: Exclude<T[K], Absent>;
};

/** The same record without the fields that are null or undefined. */
export function present<T extends object>(fields: T): Present<T> {
  const kept = Object.entries(fields).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(kept) as Present<T>;
}
