import { systemClock } from '../../../src/core/clock.ts';
import { type Digest, digestOf } from '../../../src/core/digest.ts';
import { beginScope, endScope, onCleanup } from '../cleanup.ts';
import { randomFrom } from '../soak.ts';
import type { Random } from './choices.ts';
import { sweep } from './closing.ts';
import { Crowd, domainOf, type Role } from './crowd.ts';
import { FaultPlan } from './fault-plan.ts';
import { type ResourceHistory, serverTimes } from './operations.ts';
import { Recorder } from './recorder.ts';
import { TestedServer } from './tested-server.ts';

export interface RoundOptions {
  readonly seed: number;
  /** Of `layerpull serve`, beside its times; asked for once in each round. */
  readonly serverArgs: () => readonly string[];
  /** Whether the server is killed and started again, and whether it must go on then as if nothing was. */
  readonly restarts: 'none' | 'kept' | 'forgotten';
  /** Milliseconds in which clients work while things go wrong. Default 4,000. */
  readonly workMs?: number;
}

export interface Played {
  readonly histories: readonly ResourceHistory[];
  /** What went wrong, on purpose. */
  readonly faults: readonly string[];
}

const ttlMs = 1_500;
/** Times of the servers of all rounds: short, so that much is lost in a few seconds. */
export const roundTimes = serverTimes(ttlMs, { nodeGraceMs: 1_000, leaseMs: 2_000 });
const timeArgs = ['--session-ttl', '1500ms', '--sessionless-grace', '1s', '--sessionless-lease', '2s'];

const roles: readonly Role[] = [
  { name: 'a', hasSession: true },
  { name: 'b', hasSession: true },
  { name: 'c', hasSession: true },
  { name: 'd', hasSession: false },
  { name: 'e', hasSession: false },
  { name: 'f', hasSession: true, storeId: 'shared' },
  { name: 'g', hasSession: true, storeId: 'shared' },
  { name: 'h', hasSession: true, storeId: 'shared' },
];
const domains = [...new Set(roles.map(domainOf))];
const resourcesPerDomain = 5;
/** So that a search comes to its end. */
const maxOperations = 40;

/** Real clients, a real server and real faults for a few seconds; then all must come to rest. */
export async function playRound(options: RoundOptions): Promise<Played> {
  beginScope();
  try {
    return await play(options);
  } finally {
    await endScope();
  }
}

async function play({ seed, serverArgs, restarts, workMs = 4_000 }: RoundOptions): Promise<Played> {
  const random = randomFrom(seed);
  const server = new TestedServer([...serverArgs(), ...timeArgs]);
  await server.start();
  onCleanup(() => server.kill());
  const recorder = new Recorder();
  const restart = restartOf(restarts, server, recorder);
  const plan: FaultPlan = new FaultPlan({
    ...{ server, random, restart, cutAll: () => crowd.cutAll() },
    calmMs: roundTimes.recoveryMs,
    settleMs: restarts === 'forgotten' ? roundTimes.recoveryMs * 1.5 : 0,
  });
  const crowd: Crowd = new Crowd({
    ...{ server, recorder, random, faults: () => plan.faults(), onReply: () => plan.replied() },
    ...{ pick: createPicker(random), tokens: new Map(), heartbeatMs: ttlMs / 3 },
  });
  const end = new AbortController();
  const faults = plan.run(end.signal);
  const goodbye = faults.then(() => plan.heal());
  const clients = roles.map((role) => crowd.play(role, end.signal, goodbye));
  const worked = Promise.all(clients);
  await Promise.race([systemClock.sleep(workMs), worked]).finally(() => end.abort());
  await Promise.all([goodbye, worked]);
  await sweep(crowd, roles, resources);
  return { histories: historiesOf(recorder), faults: plan.log };
}

const resources: readonly Digest[] = Array.from({ length: resourcesPerDomain }, (_, index) =>
  digestOf(Buffer.from(`layer ${index}`)),
);

/** A server that keeps what it knows is the same to its clients; what one forgets is part of the history. */
function restartOf(restarts: RoundOptions['restarts'], server: TestedServer, recorder: Recorder) {
  if (restarts === 'none') return undefined;
  const restart = () => server.restart();
  return restarts === 'kept' ? restart : () => recorder.restart(domains, restart);
}

/** Chance among the resources of a domain that have room for another operation. */
function createPicker(random: Random) {
  const counts = new Map<string, number>();
  return (domain: string): Digest | undefined => {
    const open = resources.filter((one) => (counts.get(`${domain} ${one}`) ?? 0) < maxOperations);
    const picked = open[Math.floor(random() * open.length)];
    if (picked) counts.set(`${domain} ${picked}`, (counts.get(`${domain} ${picked}`) ?? 0) + 1);
    return picked;
  };
}

function historiesOf(recorder: Recorder): ResourceHistory[] {
  return domains.flatMap((domain) =>
    resources.map((resourceId) => recorder.historyOf(domain, resourceId, roundTimes)),
  );
}
