import { digest, type Fault, fault, right } from './fault.ts';

/** Bodies that are no JSON object, or none that may be taken for the right one. */
export function brokenText(): Fault[] {
  const json = JSON.stringify(right);
  const deep = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth);
  const bodies: (string | Uint8Array)[] = [
    ...['', ' ', 'null', 'true', '0', '"text"', '[]', '[{}]', '{}', `[${json}]`, JSON.stringify(json)],
    ...[
      '{',
      '}',
      '{]',
      '{"type"',
      '{"type":}',
      "{'type':'pull'}",
      '{type:"pull"}',
      'NaN',
      '{"a":NaN}',
      '{"a":01}',
    ],
    ...[
      `${json}x`,
      `${json}${json}`,
      `${json}\0`,
      json.slice(0, -1),
      json.slice(1),
      `/* */${json}`,
      `,${json}`,
    ],
    ...[Buffer.from(json, 'utf16le'), Buffer.from([0xff, 0xfe]), Buffer.from([0xef, 0xbb, 0xbf])],
    Buffer.from(json.replace('node-a', 'node-\xff'), 'latin1'),
    Buffer.from(json.replace('node-a', 'node-\xc0\x80'), 'latin1'),
    Buffer.from(json.replace('node-a', 'node-\xed\xa0\x80'), 'latin1'),
    Buffer.from(json.replace('{', '{"\xe9":1,'), 'latin1'),
    ...[
      json.replace('node-a', '\\ud800'),
      json.replace('node-a', 'a\\udfffb'),
      json.replace('node-a', '\\u0000'),
    ],
    ...[json.replace('node-a', 'a\tb'), json.replace('node-a', '\\x61')],
    ...['[', '{"a":', '[{"a":'].flatMap((open) => [open.repeat(9_000), deep(open, '', 10_000)]),
    ...[deep('[', ']', 32_768), deep('[', ']', 50_000), deep('{"a":[', ']}', 8_000), '['.repeat(65_536)],
    json.replace('"node-a"', deep('[', ']', 30_000)),
    json.replace('"node-a"', `${'{"node_id":'.repeat(4_000)}"a"${'}'.repeat(4_000)}`),
    ...[`{"__proto__":${json}}`, `{"constructor":{"prototype":${json}}}`, `{"prototype":${json}}`],
    `{"__proto__":{"resource_id":"${digest}"},"type":"pull","node_id":"a"}`,
    `{"__proto__":{"type":"pull"},"resource_id":"${digest}","node_id":"a"}`,
    `{"type":"__proto__","resource_id":"${digest}","node_id":"a"}`,
    `{"type":"pull","resource_id":"${digest}","node_id":{"__proto__":"a","toString":"b"}}`,
    `{"a":{"__proto__":{"polluted":true}},"constructor":{"prototype":{"polluted":true}}}`,
    json.padEnd(65_537),
  ];
  return ['POST /lock', 'POST /unlock', 'GET /lock/status', 'POST /sessions', 'PUT /sessions/s']
    .flatMap((line) => bodies.map((body) => [line, body] as const))
    .filter(([line, body]) => !isHarmless(line, body.toString()))
    .map(([line, body]) => fault(line, body, `${line} with ${JSON.stringify(body.toString().slice(0, 60))}`));
}

/** A session asks for less than a lock: these would be right there. */
function isHarmless(line: string, body: string): boolean {
  if (line !== 'POST /sessions') return false;
  try {
    return typeof JSON.parse(body)?.node_id === 'string' && !/\\u|\ufffd/.test(body) && body.length <= 65_536;
  } catch {
    return false;
  }
}
