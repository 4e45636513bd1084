import { describe, expect, it } from 'vitest';
import { type Import, importsOf, lineCount, sourceFiles } from './support/imports.ts';

/** A part of the tree, the first prefix that fits; what it may import freely; and what only for its types. */
interface Zone {
  readonly name: string;
  readonly files: RegExp;
  readonly may: readonly string[];
  readonly mayTypes?: readonly string[];
}

const ports = ['lock-ports', 'store-ports', 'source-ports', 'registry-ports'];

const zones: readonly Zone[] = [
  { name: 'core', files: /^core\//, may: [] },
  { name: 'http', files: /^http\//, may: ['core'] },
  { name: 'source-ports', files: /^source\/blob-source\.ts$/, may: ['core'] },
  { name: 'source', files: /^source\//, may: ['core', 'source-ports'] },
  {
    name: 'store-ports',
    files: /^store\/(check|blob-store|garbage|growing-blobs|image-store|references|shelf)\.ts$/,
    may: ['core'],
  },
  { name: 'store', files: /^store\//, may: ['core', 'store-ports'] },
  {
    name: 'registry-ports',
    files: /^registry\/image-registry\.ts$/,
    may: ['core', 'source-ports'],
    mayTypes: ['registry'],
  },
  {
    name: 'registry',
    files: /^registry\//,
    may: ['core', 'http', 'source', 'source-ports', 'registry-ports'],
  },
  { name: 'lock-ports', files: /^lock\/(locks|nodes|sources|resource-view|terms)\.ts$/, may: ['core'] },
  { name: 'lock-server', files: /^lock\/server\//, may: ['core', 'http', 'lock', 'lock-ports'] },
  { name: 'lock-backends', files: /^lock\/backends\//, may: ['core', 'http', 'lock', 'lock-ports'] },
  { name: 'lock', files: /^lock\//, may: ['core', 'lock-ports'] },
  {
    name: 'peer',
    files: /^peer\//,
    may: ['core', 'http', 'registry', 'source', 'source-ports'],
    mayTypes: ['lock-ports', 'store-ports', 'registry-ports'],
  },
  {
    name: 'hooks-layer',
    files: /^hooks\/layer[^/]*\.ts$/,
    may: ['core'],
    mayTypes: ['lock-ports', 'store-ports', 'source-ports'],
  },
  {
    name: 'orchestrator',
    files: /^orchestrator\//,
    may: ['core', 'hooks-layer', 'source', 'source-ports'],
    mayTypes: [...ports, 'registry'],
  },
  {
    name: 'containerd',
    files: /^containerd\//,
    may: ['core', 'hooks-layer'],
    mayTypes: ['lock-ports', 'store-ports', 'source-ports'],
  },
  { name: 'doctor', files: /^doctor\//, may: ['core', 'http', 'store', 'lock-backends', 'containerd'] },
  {
    name: 'ui',
    files: /^ui\//,
    may: ['core'],
    mayTypes: ['orchestrator', 'lock-ports', 'store-ports', 'doctor'],
  },
  { name: 'demo', files: /^demo\//, may: ['core', 'http', 'store', 'store-ports'] },
  { name: 'config', files: /^config(\.ts$|\/)/, may: ['core'] },
  { name: 'flags', files: /^flags\//, may: ['config', 'core'] },
  {
    name: 'commands',
    files: /^(commands|hooks\/(init|finally))\//,
    may: ['config', 'compose', 'core', 'ui', 'demo', 'command', 'flags'],
  },
  { name: 'types', files: /\.d\.ts$/, may: [] },
  { name: 'command', files: /^(command|cli|oclif)\.ts$/, may: ['config', 'compose', 'core', 'ui', 'demo'] },
  {
    name: 'compose',
    files: /^compose\//,
    may: [
      'config',
      'core',
      'http',
      'source',
      'store',
      'registry',
      'lock',
      'lock-server',
      'lock-backends',
      'peer',
      'hooks-layer',
      'orchestrator',
      'containerd',
      'demo',
      'doctor',
      ...ports,
    ],
  },
  {
    name: 'library',
    files: /^index\.ts$/,
    may: [
      'core',
      'source',
      'store',
      'registry',
      'lock',
      'lock-backends',
      'hooks-layer',
      'orchestrator',
      ...ports,
    ],
  },
];

/** Packages with one home each. */
const homes: readonly { readonly packages: RegExp; readonly files: RegExp }[] = [
  { packages: /^undici$/, files: /^http\// },
  { packages: /^ora$/, files: /^ui\/progress\.ts$/ },
  { packages: /^p-limit$/, files: /^orchestrator\// },
  { packages: /^(tar-stream|fzstd)$/, files: /^store\/outputs\// },
  { packages: /^fastify$/, files: /^(lock\/server|peer)\// },
  { packages: /^prom-client$/, files: /^lock\/server\/metrics\.ts$/ },
  { packages: /^lmdb$/, files: /^lock\/backends\/durable\/disk\.ts$/ },
  { packages: /^(@grpc\/|protobufjs$)/, files: /^(containerd\/|lock\/backends\/etcd\/client\/)/ },
  // Its parts only: the whole takes long to load.
  { packages: /^@oclif\/core$/, files: /^$/ },
  { packages: /^@oclif\/core/, files: /^(command\.ts|oclif\.ts|commands\/|flags\/|hooks\/(init|finally)\/)/ },
  { packages: /^(node:)?timers(\/promises)?$/, files: /^core\/clock\.ts$/ },
];

const files = sourceFiles();
const imports = files.flatMap(importsOf);
const inProject = imports.filter((one) => one.to.endsWith('.ts'));

function zoneOf(file: string): Zone | undefined {
  return zones.find((zone) => zone.files.test(file));
}

function isAllowed({ from, to, typeOnly }: Import): boolean {
  const source = zoneOf(from);
  const target = zoneOf(to);
  if (!source || !target) return false;
  if (source.name === target.name || source.may.includes(target.name)) return true;
  return typeOnly && (source.mayTypes ?? []).includes(target.name);
}

describe('the tree', () => {
  it('has a zone in the import table for every source file', () => {
    expect(files.filter((file) => !zoneOf(file))).toEqual([]);
  });

  it('imports only what the import table allows', () => {
    const broken = inProject.filter((one) => !isAllowed(one)).map((one) => `${one.from} -> ${one.to}`);
    expect(broken).toEqual([]);
  });

  it('has no import cycle', () => {
    expect(findCycle()).toBeUndefined();
  });

  it('uses each package that has a home only there', () => {
    const strays = imports.filter((one) =>
      homes.some((home) => home.packages.test(one.to) && !home.files.test(one.from)),
    );
    expect(strays.map((one) => `${one.from} -> ${one.to}`)).toEqual([]);
  });

  it('keeps the bookkeeping of nodes out of what the hot path reads', () => {
    expect(reachableFrom('lock/read-model.ts')).not.toContain('lock/node-registry.ts');
  });

  it('has no file over 300 lines', () => {
    expect(files.filter((file) => lineCount(file) > 300)).toEqual([]);
  });

  it('keeps the vocabulary in at most eight files', () => {
    expect(files.filter((file) => file.startsWith('core/')).length).toBeLessThanOrEqual(8);
  });
});

/** Depth first through all imports; types count, for a cycle of types is a cycle of thought. */
function findCycle(): string | undefined {
  const targets = new Map<string, string[]>();
  for (const { from, to } of inProject) targets.set(from, [...(targets.get(from) ?? []), to]);
  const finished = new Set<string>();
  const walk = (file: string, trail: readonly string[]): string | undefined => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file].join(' -> ');
    if (finished.has(file)) return undefined;
    for (const next of targets.get(file) ?? []) {
      const cycle = walk(next, [...trail, file]);
      if (cycle) return cycle;
    }
    finished.add(file);
    return undefined;
  };
  for (const file of files) {
    const cycle = walk(file, []);
    if (cycle) return cycle;
  }
  return undefined;
}

/** All files that a file imports, directly or through others. */
function reachableFrom(file: string): ReadonlySet<string> {
  const reached = new Set<string>();
  const open = [file];
  for (let from = open.pop(); from !== undefined; from = open.pop()) {
    for (const { to } of inProject.filter((one) => one.from === from)) {
      if (!reached.has(to)) open.push(to);
      reached.add(to);
    }
  }
  return reached;
}
