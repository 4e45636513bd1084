import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCluster } from '../../src/lock/backends/etcd/replica/apply.ts';
import { decodeCluster, encodeCluster } from '../../src/lock/backends/etcd/replica/snapshot.ts';
import { soakRuns } from '../support/soak.ts';
import { type Action, actions } from './machine/actions.ts';
import { checkStep, startHistory } from './machine/checks.ts';
import { createPlayer, type Played, type Player } from './machine/player.ts';
import { checkContainers } from './replica/containers.ts';
import { checkSame } from './replica/same.ts';
import { checkSeats } from './replica/seats.ts';
import { follow, optionsFor, Servers, type Way, ways } from './replica/servers.ts';
import { checkWeight, questions } from './replica/weighing.ts';
import { SimulatedFleet } from './sources/fleet.ts';

/** What happens to servers, before an action of clients. */
interface Incident {
  readonly kind: 'leave' | 'silence';
  readonly server: number;
  readonly who: number;
  readonly atAction: number;
}

const incidents: fc.Arbitrary<Incident[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('leave', 'silence', 'silence'),
    server: fc.nat({ max: 2 }),
    who: fc.nat({ max: 3 }),
    atAction: fc.nat({ max: 79 }),
  }),
  { maxLength: 12 },
);
const recovery = fc.constantFrom(0, 0, 3_000);

function play(
  list: readonly Action[],
  happening: readonly Incident[],
  given: readonly Way[],
  recoveryMs: number,
  look: (servers: Servers) => void = () => {},
): Servers {
  const servers = new Servers(recoveryMs, given);
  const player = createPlayer(recoveryMs, servers);
  const history = startHistory();
  for (const [index, action] of list.entries()) {
    for (const incident of happening)
      if (incident.atAction === index) checkStep(history, player, () => happen(servers, player, incident));
    checkStep(history, player, () => player.act(action));
    look(servers);
  }
  return servers;
}

function happen(servers: Servers, player: Player, { kind, server, who }: Incident): Played {
  const sessions = player.sessions();
  const sessionId = sessions[who % sessions.length];
  if (kind === 'leave') player.events.push(...servers.leave(server, player.now()));
  else if (sessionId) player.events.push(...servers.silence(server, sessionId, player.now()));
  return { command: { kind: 'tick' }, reply: undefined };
}

/** Servers that come later: one reads the whole log, one begins with a snapshot somewhere in it. */
function checkFollowers({ cluster, log, told }: Servers, recoveryMs: number, share: number): void {
  const options = optionsFor(recoveryMs);
  const first = createCluster(options, 0);
  const at = Math.floor(share * log.length);
  const before = follow(first, log.slice(0, at), true);
  const snapshot = encodeCluster(first);
  const later = decodeCluster(snapshot, options);
  checkSame('a snapshot is another one once it was read', encodeCluster(later), snapshot);
  checkSame('a server was told otherwise', [...before, ...follow(first, log.slice(at), true)], told);
  checkSame(
    'a server with a snapshot was told otherwise',
    follow(later, log.slice(at)),
    told.slice(before.length),
  );
  for (const other of [first, later])
    checkSame('the servers parted from each other', encodeCluster(other), encodeCluster(cluster));
}

describe('several lock servers, whatever happens in whatever order', () => {
  it('keep the rules of one: one holder, FIFO, rising tokens, nobody dead holds or waits, done is done', () => {
    fc.assert(
      fc.property(actions, incidents, ways, recovery, (list, happening, given, recoveryMs) => {
        play(list, happening, given, recoveryMs, ({ cluster }) => checkSeats(cluster));
      }),
      soakRuns(0.3),
    );
  });

  it('go the same way, also one that begins with a snapshot and one that reads entries twice', () => {
    fc.assert(
      fc.property(
        ...([actions, incidents, ways, recovery, fc.double({ min: 0, max: 1, noNaN: true })] as const),
        (list, happening, given, recoveryMs, share) => {
          const servers = play(list, happening, given, recoveryMs);
          checkContainers(servers.cluster);
          checkFollowers(servers, recoveryMs, share);
        },
      ),
      soakRuns(0.3),
    );
  });

  it('go the same way in who reads from whom', () => {
    const setup = fc.record({
      ...{ serves: fc.constantFrom(true, true, false), hears: fc.boolean() },
      ...{ zone: fc.nat(1), rate: fc.integer({ min: 2, max: 200 }) },
    });
    const doing = fc.record({
      kind: fc.constantFrom('start', 'start', 'kill', 'freeze', 'thaw', 'close', 'drain', 'leave'),
      ...{ who: fc.nat(7), atStep: fc.nat(60) },
    } as const);
    fc.assert(
      fc.property(
        fc.array(setup, { minLength: 2, maxLength: 8 }),
        fc.array(doing, { maxLength: 25 }),
        ways,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (nodes, doings, given, share) => {
          const servers = new Servers(0, given);
          const fleet = new SimulatedFleet(nodes, [], servers);
          for (let now = 0; now <= 60; now += 1) {
            for (const { kind, who, atStep } of doings) {
              const node = fleet.nodes[who % nodes.length];
              if (atStep !== now || !node) continue;
              if (kind === 'leave') servers.leave(who, fleet.nowMs);
              else fleet[kind](node);
            }
            fleet.pass(20);
          }
          checkContainers(servers.cluster);
          checkFollowers(servers, 0, share);
        },
      ),
      soakRuns(0.2),
    );
  });

  it('answer what they need not write as if they had written it', () => {
    const kinds = ['renew local', 'renew soon', 'renew write', 'status local', 'status write'];
    const seen = new Set<string>();
    const property = fc.property(
      ...([actions, incidents, ways, fc.constantFrom(0, 0, 500), fc.constantFrom(0, 100, 3_000)] as const),
      (list, happening, given, recoveryMs, laterMs) => {
        let asked = 0;
        play(list, happening, given, recoveryMs, (servers) => {
          const all = questions(servers.cluster, asked % 3);
          const question = all[(asked * 7) % all.length];
          asked += 1;
          if (!question) return;
          const weight = checkWeight(servers.cluster, servers.seatAt(asked), question, laterMs);
          seen.add(`${question.kind} ${weight}`);
        });
      },
    );
    fc.assert(property, soakRuns(0.2));
    // What chance has left out comes soon, if it comes at all.
    for (let more = 0; seen.size < kinds.length && more < 500; more += 1) fc.assert(property, { numRuns: 1 });
    expect([...seen].sort()).toEqual(kinds);
  });
});
