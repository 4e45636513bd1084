import { digest, type Fault, fault, right } from './fault.ts';

const wrongNames: readonly unknown[] = [
  ...['', '\u0000', 'a\u0000', 'a\nb', '\u001b[2J', '\u007f', '\u0085', '\ud800', 'a\udc00', 'x'.repeat(257)],
  ...[1, -1, 1.5, true, false, [], ['a'], {}, { a: 1 }, { __proto__: null, toString: 1 }],
];
const wrongDigests = [
  ...[
    '',
    'sha256',
    'sha256:',
    digest.slice(0, -1),
    `${digest}a`,
    digest.toUpperCase(),
    digest.replace('ab', 'AB'),
  ],
  ...[
    digest.replace('sha256', 'SHA256'),
    digest.replace('256', '1'),
    digest.replace('256', '512'),
    `md5:${'a'.repeat(32)}`,
  ],
  ...[
    digest.replace(':', '-'),
    digest.replace(':', ''),
    ` ${digest}`,
    `${digest}\n`,
    `${digest}\0`,
    digest.replace('ab', 'zz'),
  ],
  ...[
    `sha512:${'a'.repeat(127)}`,
    `sha384:${'a'.repeat(96)}`,
    digest.replace('ab', '\uff41\uff42'),
    'x'.repeat(60_000),
  ],
  ...['../../etc/passwd', 0, 1e308, true, [digest], { digest }, []],
];
const wrongTypes = [
  '',
  'push',
  'PULL',
  'pull ',
  'constructor',
  '__proto__',
  'toString',
  0,
  1,
  true,
  ['pull'],
  {},
];
const wrongNumbers = [-1, 1.5, -0.1, 2 ** 53, 1e300, '7', '', 'NaN', 'Infinity', '0x7', true, [], [7], {}];
const wrongFlags = ['true', 'false', '', 'yes', 0, 1, [], {}, [true]];

const wrongLockFields: Record<string, readonly unknown[]> = {
  type: [...wrongTypes, null, undefined],
  resource_id: [...wrongDigests, null, undefined],
  node_id: [...wrongNames, null, undefined],
  session_id: [...wrongNames, 'unknown'],
};

/** By request: the fields of a right body, and for each field values that make it wrong. */
const wrongValues: readonly (readonly [string, object, Record<string, readonly unknown[]>])[] = [
  [
    'POST /lock',
    right,
    { ...wrongLockFields, request_id: wrongNames, force: wrongFlags, position: [...wrongNumbers, 0] },
  ],
  [
    'POST /unlock',
    { ...right, token: 1 },
    {
      ...wrongLockFields,
      ...{ token: wrongNumbers, success: wrongFlags, decline: wrongFlags, error: [0, true, [], {}] },
      class: ['', 'Node', 'NODE', '__proto__', 0, [], ['node'], {}],
    },
  ],
  ['GET /lock/status', right, wrongLockFields],
  [
    'POST /sessions',
    { node_id: 'node-a' },
    {
      ...{
        node_id: wrongLockFields['node_id'] ?? [],
        session_id: wrongNames,
        store_id: wrongNames,
        zone: wrongNames,
      },
      url: [
        '',
        'x',
        'ftp://a',
        'http://',
        'http:// a',
        'javascript:1',
        `http://${'a'.repeat(2_048)}`,
        1,
        [],
        {},
      ],
    },
  ],
  [
    'PUT /sessions/unknown',
    {},
    { held: ['', 0, {}, [1], [[]], [{}], [null]], draining: wrongFlags, other: [0] },
  ],
  ...(['type', 'resource_id', 'token', 'offset', 'total'] as const).map(
    (field): [string, object, Record<string, readonly unknown[]>] => [
      'PUT /sessions/unknown',
      {},
      { held: heldWith(field).map((held) => [held]) },
    ],
  ),
];

function heldWith(field: 'type' | 'resource_id' | 'token' | 'offset' | 'total'): object[] {
  const wrong = { type: wrongTypes, resource_id: wrongDigests }[field as string] ?? wrongNumbers;
  return wrong.map((value) => ({ resource_id: digest, token: 1, [field]: value }));
}

/** Right bodies but for one field. */
export function wrongFields(): Fault[] {
  return wrongValues.flatMap(([line, body, fields]) =>
    Object.entries(fields).flatMap(([field, values]) =>
      values.map((value) => {
        const text = JSON.stringify({ ...body, [field]: value });
        return fault(line, text, `${line} with ${field} ${JSON.stringify(value)?.slice(0, 60)}`);
      }),
    ),
  );
}
