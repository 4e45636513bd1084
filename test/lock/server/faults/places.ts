import { digest, type Fault, fault } from './fault.ts';

/** What HTTP itself does not allow, or this server. */
export function brokenHttp(): Fault[] {
  const heads = [
    'x\r\n\r\n',
    'GET\r\n\r\n',
    'GET /\r\n\r\n',
    'get / HTTP/1.1\r\nhost: test\r\n\r\n',
    'G€T / HTTP/1.1\r\nhost: test\r\n\r\n',
    'GET  / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n',
    'GET / HTTP/1.1\r\nho st: test\r\n\r\n',
    'GET / HTTP/1.1\r\nhost test\r\n\r\n',
    'GET / HTTP/1.1\r\nconnection: close\r\n\r\n',
    'GET / HTTP/3.0\r\nhost: test\r\n\r\n',
    'GET / HTTX/1.1\r\nhost: test\r\n\r\n',
    'GET / HTTP/1.1\nhost: test\n\n\0',
    'GET /\0 HTTP/1.1\r\nhost: test\r\n\r\n',
    'GET / HTTP/1.1\r\nhost: te\0st\r\n\r\n',
    'GET / HTTP/1.1\r\nhost: test\r\nx: a\rb\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'OPTIONS * HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n',
    'CONNECT test:1 HTTP/1.1\r\nhost: test\r\n\r\n',
    `GET /${'x'.repeat(17_000)} HTTP/1.1\r\nhost: test\r\n\r\n`,
    `GET / HTTP/1.1\r\nhost: test\r\nx: ${'x'.repeat(17_000)}\r\n\r\n`,
    `GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n${'x: y\r\n'.repeat(3_000)}\r\n`,
    'POST /lock HTTP/1.1\r\nhost: test\r\ncontent-length: -1\r\n\r\n',
    'POST /lock HTTP/1.1\r\nhost: test\r\ncontent-length: 1e3\r\n\r\n',
    'POST /lock HTTP/1.1\r\nhost: test\r\ncontent-length: 99999999999999999999999\r\n\r\n',
    'POST /lock HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}',
    'POST /lock HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}',
    'POST /lock HTTP/1.1\r\nhost: test\r\ntransfer-encoding: gzip\r\n\r\n{}',
    'POST /lock HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\nxx\r\n{}\r\n0\r\n\r\n',
    'POST /lock HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n',
    'POST /lock HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\n',
    'POST /lock HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 100000\r\n\r\n',
  ];
  return heads.map((head) => ({
    what: JSON.stringify(head.slice(0, 80)),
    bytes: Buffer.from(head, 'latin1'),
  }));
}

/** Paths, methods and queries that are not there. */
export function wrongPlaces(): Fault[] {
  const lines = [
    ...[
      'GET /',
      'GET //lock',
      'POST /lock/',
      'POST /LOCK',
      'GET /lock/status/',
      'GET /../lock',
      'GET /%2e%2e/etc',
    ],
    ...[
      'GET /lock',
      'PUT /lock',
      'DELETE /lock',
      'PATCH /lock',
      'TRACE /lock',
      'GET /locks/x',
      'POST /locks',
    ],
    ...[
      'POST /lock/status',
      'POST /lock/subscribe',
      'DELETE /locks',
      'POST /healthz',
      'GET /sessions',
      'GET /sessions/s',
    ],
    ...[
      'POST /sessions/s',
      'PUT /sessions',
      'PUT /sessions/',
      'PUT /sessions/%zz',
      'PUT /sessions/%',
      'PUT /sessions/%ff',
    ],
    ...['PUT /sessions/a%00b', 'PUT /sessions/a%0ab', 'DELETE /sessions/%ed%a0%80', 'DELETE /sessions/a/b'],
    ...[
      `PUT /sessions/${'x'.repeat(257)}`,
      `DELETE /sessions/${'x'.repeat(4_000)}`,
      'PUT /sessions/__proto__',
    ],
    ...[
      'GET /__proto__',
      'GET /constructor',
      'GET /lock%00',
      'GET /caf\xe9',
      'PROPFIND /lock',
      'PURGE /locks',
    ],
    ...['GET /lock/subscribe', 'GET /lock/subscribe?session=', 'GET /lock/subscribe?session=unknown'],
    ...[
      'GET /lock/subscribe?session=a&session=b',
      'GET /lock/subscribe?session=%00',
      'GET /lock/subscribe?type=pull',
    ],
    ...[
      `GET /lock/subscribe?type=push&resource_id=${digest}`,
      'GET /lock/subscribe?__proto__=a&constructor=b',
    ],
    ...[
      'GET /locks?limit=0',
      'GET /locks?limit=-1',
      'GET /locks?limit=1e3',
      'GET /locks?limit=NaN',
      'GET /locks?limit=99999',
    ],
    ...[
      'GET /locks?limit=1&limit=2',
      'GET /locks?limit=',
      'GET /locks?limit=%31%00',
      'GET /locks?prefix=xyz',
    ],
    ...[
      'GET /locks?prefix=sha256:AB',
      'GET /locks?prefix=a&prefix=b',
      'GET /locks?prefix=%zz',
      'GET /locks?prefix=%ff',
    ],
  ];
  return lines.map((line) => fault(line, /^(GET|TRACE)/.test(line) ? undefined : '{}'));
}
