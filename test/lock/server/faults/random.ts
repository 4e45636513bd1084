import fc from 'fast-check';
import { digest, type Fault, fault } from './fault.ts';

const polluting = fc.constantFrom(
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'type',
  'token',
  'error',
);
const junk = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, '', 'pull', digest, -1, 1e308, 2 ** 53, 'NaN', '\ud800', '\u0000'),
    fc.string({ unit: 'binary' }),
    fc.double(),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('object'),
  ),
  // Read from text: only so a body has a field of the name __proto__.
  object: fc.array(fc.tuple(fc.oneof(polluting, fc.string()), tie('value')), { maxLength: 5 }),
}));

/** JSON of `junk`, where a list of pairs of a name and a value is an object. */
function toJson(value: unknown): string {
  if (!Array.isArray(value)) return JSON.stringify(value) ?? 'null';
  const isObject = value.length > 0 && value.every((one) => Array.isArray(one) && typeof one[0] === 'string');
  if (!isObject) return `[${value.map(toJson).join(',')}]`;
  return `{${value.map(([name, field]) => `${JSON.stringify(name)}:${toJson(field)}`).join(',')}}`;
}

/** Bodies without a right digest, queries that are incomplete, and bytes that are neither. */
export const anyFault: fc.Arbitrary<Fault> = fc.oneof(
  fc
    .tuple(fc.constantFrom('POST /lock', 'POST /unlock', 'GET /lock/status'), junk.object)
    .map(([line, body]) => fault(line, toJson(body), `${line} with junk`)),
  fc
    .tuple(fc.constantFrom('POST /lock', 'POST /unlock', 'POST /sessions'), fc.uint8Array({ maxLength: 200 }))
    .map(([line, body]) => fault(line, body, `${line} with bytes`)),
  fc
    .array(fc.tuple(fc.oneof(polluting, fc.webQueryParameters()), fc.webQueryParameters()), { maxLength: 4 })
    .map((pairs) => fault(`GET /lock/status?${pairs.map((pair) => pair.join('=')).join('&')}`)),
  fc
    .tuple(fc.constantFrom('GET /', 'POST /lock/', 'PUT /locks/'), fc.webPath())
    .map(([line, path]) => fault(`${line}x${path}`.replaceAll('//', '/'), undefined)),
  fc
    .string({ unit: 'binary', minLength: 1 })
    .map((text) => ({ what: 'bytes', bytes: Buffer.from(`\x01${text}\r\n\r\n`) })),
);
