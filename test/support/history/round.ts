import { systemClock } from '../../../src/core/clock.ts';
import { type Digest, digestOf } from '../../../src/core/digest.ts';
import { messageOf } from '../../../src/core/errors.ts';
import { beginScope, endScope, onCleanup } from '../cleanup.ts';
import { get } from '../get.ts';
import { randomFrom } from '../soak.ts';
import type { Random } from './choices.ts';
import { sweep } from './closing.ts';
import { Crowd, domainOf, type Role } from './crowd.ts';
import { FaultPlan } from './fault-plan.ts';
import { type ResourceHistory, serverTimes } from './operations.ts';
import { Recorder } from './recorder.ts';
import { TestedServer } from './tested-server.ts';
import type { TestedService } from './tested-service.ts';

export interface RoundOptions {
  readonly seed: number;
  /** Asked for once in each round: what is started for it ends with the round. */
  readonly service: (random: Random) => TestedService | Promise<TestedService>;
  /** Whether a server is killed and started again, and whether it must go on then as if nothing was. */
  readonly restarts: 'none' | 'kept' | 'forgotten';
  /** Of each resource, so that a search comes to its end. Default 40. */
  readonly maxOperations?: number;
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

/** Real clients, a real server and real faults for a few seconds; then all must come to rest. */
export async function playRound(options: RoundOptions): Promise<Played> {
  beginScope();
  try {
    return await play(options);
  } finally {
    await endScope();
  }
}

async function play(options: RoundOptions): Promise<Played> {
  const { seed, service, restarts, maxOperations = 40, workMs = 4_000 } = options;
  const random = randomFrom(seed);
  const { args, count = 1, mishaps } = await service(random);
  const servers = await Promise.all(Array.from({ length: count }, () => startServer(args)));
  const recorder = new Recorder();
  const restart = restartOf(restarts, recorder);
  const plan: FaultPlan = new FaultPlan({
    ...{ servers, random, restart, cutAll: () => crowd.cutAll() },
    ...(mishaps ? { mishaps: mishaps(servers) } : {}),
    calmMs: roundTimes.recoveryMs,
    settleMs: restarts === 'forgotten' ? roundTimes.recoveryMs * 1.5 : 0,
  });
  const crowd: Crowd = new Crowd({
    ...{ servers, recorder, random, faults: () => plan.faults(), onReply: () => plan.replied() },
    ...{ pick: createPicker(random, maxOperations), tokens: new Map(), heartbeatMs: ttlMs / 3 },
  });
  const end = new AbortController();
  const faults = plan.run(end.signal);
  const goodbye = faults.then(() => plan.heal());
  const clients = roles.map((role) => crowd.play(role, end.signal, goodbye));
  const worked = Promise.all(clients);
  await Promise.race([systemClock.sleep(workMs), worked]).finally(() => end.abort());
  await Promise.all([goodbye, worked]);
  await sweep(crowd, roles, resources).catch(async (error) => {
    const words = await Promise.all(servers.map(lastWordsOf));
    throw new Error([messageOf(error), 'faults:', ...plan.log, ...words].join('\n'));
  });
  return { histories: historiesOf(recorder), faults: plan.log };
}

/** What is held and waited for, and what it said last. */
async function lastWordsOf(server: TestedServer): Promise<string> {
  const { text } = await get(`http://127.0.0.1:${server.port}/locks`).catch((error) => ({
    text: messageOf(error),
  }));
  return `a server tells:\n${text}\nand said last:\n${server.log().slice(-8_000)}`;
}

async function startServer(args: readonly string[]): Promise<TestedServer> {
  const server = new TestedServer([...args, ...timeArgs]);
  await server.start();
  onCleanup(() => server.kill());
  return server;
}

const resources: readonly Digest[] = Array.from({ length: resourcesPerDomain }, (_, index) =>
  digestOf(Buffer.from(`layer ${index}`)),
);

/** A server that keeps what it knows is the same to its clients; what one forgets is part of the history. */
function restartOf(restarts: RoundOptions['restarts'], recorder: Recorder) {
  if (restarts === 'none') return undefined;
  const restart = (server: TestedServer) => server.restart();
  return restarts === 'kept'
    ? restart
    : (server: TestedServer) => recorder.restart(domains, () => restart(server));
}

/** Chance among the resources of a domain that have room for another operation. */
function createPicker(random: Random, maxOperations: number) {
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
