import { expect, test } from 'vitest';
import { countBlobGets, parseAccessLog } from '../support/access-log.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const lines = [
  '127.0.0.1 - - [21/Nov/2026:04:08:03 +0000] "GET /v2/ HTTP/1.1" 200 2 "" "curl/7.88.1"',
  'time="2026-11-21T04:08:02Z" level=info msg="not a request"',
  `127.0.0.1 - tester [21/Nov/2026:04:08:03 +0000] "HEAD /v2/a/blobs/${digest} HTTP/1.1" 200 0 "" ""`,
  `127.0.0.1 - - [21/Nov/2026:04:08:03 +0000] "GET /v2/a/b/blobs/${digest} HTTP/1.1" 206 700 "" "x"`,
  `127.0.0.1 - - [21/Nov/2026:04:08:03 +0000] "GET /v2/a/blobs/${digest} HTTP/1.1" 404 157 "" "x"`,
  '127.0.0.1 - - [21/Nov/2026:04:08:03 +0000] "GET /v2/a/blobs/uploads/6f HTTP/1.1" 204 0 "" "x"',
];

test('reads the requests out of a combined log', () => {
  const entries = parseAccessLog(lines);
  expect(entries).toHaveLength(5);
  expect(entries[0]).toEqual({
    method: 'GET',
    path: '/v2/',
    status: 200,
    bytes: 2,
    partial: false,
    userAgent: 'curl/7.88.1',
  });
  expect(entries[2]).toMatchObject({ bytes: 700, partial: true });
});

test('counts only reads of blobs that were answered', () => {
  const entries = parseAccessLog(lines);
  expect(countBlobGets(entries)).toBe(1);
  expect(countBlobGets(entries, digest)).toBe(1);
  expect(countBlobGets(entries, `sha256:${'b'.repeat(64)}`)).toBe(0);
});
