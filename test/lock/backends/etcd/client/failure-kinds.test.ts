import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { EtcdCompacted } from '../../../../../src/lock/backends/etcd/client/etcd.ts';
import { failureOf, NotSent, Silence } from '../../../../../src/lock/backends/etcd/client/failures.ts';

const asked = { address: 'h1:2379', userName: 'locks', prefix: 'layerpull/' };

describe('what an error of a call to etcd means', () => {
  it.each([
    [status.UNAVAILABLE, 'etcdserver: no leader'],
    [status.RESOURCE_EXHAUSTED, 'etcdserver: too many requests'],
    [status.UNAVAILABLE, 'etcdserver: not capable'],
    [status.UNAVAILABLE, 'etcdserver: rpc not supported for learner'],
    [status.UNKNOWN, 'raft proposal dropped'],
    [status.UNIMPLEMENTED, 'unknown service etcdserverpb.KV'],
    [status.UNIMPLEMENTED, 'Received HTTP status code 404'],
    [status.PERMISSION_DENIED, 'Received HTTP status code 403'],
  ])('surely nothing was done: %s %s', (code, details) => {
    const problem = details.replace('etcdserver: ', '');
    expect(failureOf(errorOf(code, details), asked)).toEqual({ kind: 'refused', problem, isSilent: false });
  });

  it.each([
    [status.UNAVAILABLE, 'etcdserver: request timed out'],
    [status.UNAVAILABLE, 'etcdserver: request timed out, possibly due to previous leader failure'],
    [status.UNAVAILABLE, 'etcdserver: leader changed'],
    [status.UNAVAILABLE, 'etcdserver: server stopped'],
    [status.UNAVAILABLE, 'Connection dropped'],
    [
      status.UNAVAILABLE,
      'No connection established. Last error: Error: connect ECONNREFUSED h1. Resolution note: ',
    ],
    [status.DEADLINE_EXCEEDED, 'context deadline exceeded'],
    [status.CANCELLED, 'etcdserver: watch canceled'],
    [status.INTERNAL, 'Received RST_STREAM with code 2'],
    [status.UNKNOWN, 'anything'],
    [status.UNAVAILABLE, 'Received HTTP status code 502'],
  ])('it may have been done: %s %s', (code, details) => {
    expect(failureOf(errorOf(code, details), asked)).toMatchObject({ kind: 'unknown', isSilent: false });
  });

  it.each([
    [status.UNAUTHENTICATED, 'etcdserver: invalid auth token'],
    [status.INVALID_ARGUMENT, 'etcdserver: revision of auth store is old'],
    [status.UNKNOWN, 'auth: revision in header is old'],
    [status.INVALID_ARGUMENT, 'etcdserver: user name is empty'],
  ])('another token is needed: %s %s', (code, details) => {
    expect(failureOf(errorOf(code, details), asked).kind).toBe('stale-token');
  });

  it.each([
    [status.PERMISSION_DENIED, 'etcdserver: permission denied', 'etcd_denied'],
    [
      status.INVALID_ARGUMENT,
      'etcdserver: authentication failed, invalid user ID or password',
      'etcd_denied',
    ],
    [status.UNAUTHENTICATED, 'status 401', 'etcd_denied'],
    [status.RESOURCE_EXHAUSTED, 'etcdserver: mvcc: database space exceeded', 'etcd_failed'],
    [status.DATA_LOSS, 'etcdserver: corrupt cluster', 'etcd_failed'],
    [status.INVALID_ARGUMENT, 'etcdserver: request is too large', 'etcd_failed'],
    [status.NOT_FOUND, 'etcdserver: requested lease not found', 'etcd_failed'],
  ])('every member says the same: %s %s', (code, details, expected) => {
    const failure = failureOf(errorOf(code, details), asked);
    expect(failure).toMatchObject({ kind: 'final', error: { code: expected, origin: 'lock' } });
  });

  it('a revision was compacted', () => {
    const details = 'etcdserver: mvcc: required revision has been compacted';
    const failure = failureOf(errorOf(status.OUT_OF_RANGE, details), asked);
    expect(failure).toEqual({ kind: 'final', error: new EtcdCompacted() });
  });

  it('tells a call that was never sent from one that nobody answered', () => {
    expect(failureOf(new NotSent('host not found', false), asked).kind).toBe('refused');
    expect(failureOf(new Silence(2_000), asked)).toEqual({
      kind: 'unknown',
      problem: 'no reply within 2 s',
      isSilent: true,
    });
  });

  it('leaves what is no failure of a call to whoever made it', () => {
    const reason = new Error('enough');
    expect(() => failureOf(reason, asked)).toThrow(reason);
  });
});

function errorOf(code: status, details: string): ServiceError {
  return Object.assign(new Error(details), { code, details, metadata: new Metadata() });
}
