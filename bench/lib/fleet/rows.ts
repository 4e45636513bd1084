import { median } from '../numbers.ts';
import { alone, type Contender, contenders } from './contenders.ts';
import { faults } from './faults.ts';
import type { FleetOptions } from './options.ts';
import type { ImageRows, Row } from './report.ts';
import { type Fault, type Round, runRound } from './round.ts';
import type { FleetImage, Site } from './site.ts';

interface RowPlan {
  readonly contender: Contender;
  readonly nodes: number;
  readonly fault?: Fault;
}

const nodesOfAim = 8;

/** All rows of one image, the baseline first. @throws when the baseline fails; other rows say so */
export async function measureImage(site: Site, image: FleetImage, options: FleetOptions): Promise<ImageRows> {
  const measure = ({ contender, nodes, fault }: RowPlan) =>
    measureRow(options.runs, () => runRound({ site, image, contender, nodes, fault }));
  const say = ({ contender, nodes, fault }: RowPlan) =>
    process.stderr.write(`measuring ${image.name}, ${nodes} x ${contender.name} ${fault?.name ?? ''}\n`);
  const first: RowPlan = { contender: alone, nodes: 1 };
  say(first);
  const baseline = await measure(first);
  const rows: Row[] = [{ name: alone.name, nodes: 1, result: baseline, hasAim: false }];
  for (const plan of plansOf(options)) {
    say(plan);
    const { contender, nodes, fault } = plan;
    const result = await measure(plan).catch((error) => ({ failed: oneLine(error) }));
    const hasAim = contender.shares && nodes === nodesOfAim && !fault;
    rows.push({ name: contender.name, nodes, result, hasAim, fault: fault?.name });
  }
  return { image, baseline, rows };
}

function plansOf({ only, nodes, others, faults: withFaults }: FleetOptions): RowPlan[] {
  const chosen = only.map((name) => contenders[name]);
  const plain = chosen.flatMap((contender) =>
    (contender.shares ? nodes : [others]).map((count) => ({ contender, nodes: count })),
  );
  if (!withFaults) return plain;
  const sharing = chosen.filter((contender) => contender.shares);
  return [
    ...plain,
    ...sharing.flatMap((contender) => faults.map((fault) => ({ contender, nodes: others, fault }))),
  ];
}

/** The median of the times, and the egress of the round that had most. */
async function measureRow(runs: number, round: () => Promise<Round>): Promise<Round> {
  const rounds: Round[] = [];
  for (let run = 0; run < runs; run += 1) rounds.push(await round());
  return {
    lastMs: median(rounds.map(({ lastMs }) => lastMs)),
    egressBytes: Math.max(...rounds.map(({ egressBytes }) => egressBytes)),
  };
}

function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ');
}
