import { formatMib, formatMs, median } from '../numbers.ts';
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
  const measure = async ({ contender, nodes, fault }: RowPlan) => {
    const what = `${nodes} x ${contender.name}${fault ? `, ${fault.name}` : ''}`;
    process.stderr.write(`measuring ${image.name}, ${what}: `);
    const round = await measureRow(options.runs, () => runRound({ site, image, contender, nodes, fault }));
    process.stderr.write(`${formatMs(round.lastMs)}, ${formatMib(round.egressBytes)}\n`);
    return round;
  };
  const first: RowPlan = { contender: alone, nodes: 1 };
  const baseline = await measure(first);
  const rows: Row[] = [{ name: alone.name, nodes: 1, result: baseline, hasAim: false }];
  for (const plan of plansOf(options)) {
    const { contender, nodes, fault } = plan;
    const result = await measure(plan).catch((error) => {
      process.stderr.write('FAILED\n');
      return { failed: oneLine(error) };
    });
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
  const first = await round();
  const rounds = [first];
  for (let run = 1; run < runs; run += 1) rounds.push(await round());
  const most = rounds.reduce((one, other) => (other.egressBytes > one.egressBytes ? other : one), first);
  return { ...most, lastMs: median(rounds.map(({ lastMs }) => lastMs)) };
}

function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ');
}
