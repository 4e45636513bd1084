import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand, type CommandContext } from '../command.ts';
import { composePull, type PullDeps, type PullResult } from '../compose/pull.ts';
import { lockFailureModes, type PullConfig, readPullConfig } from '../config/pull.ts';
import { progressModes } from '../config.ts';
import { boundFlags, peerFlags } from '../flags/bounds.ts';
import { coordinationFlags } from '../flags/coordination.ts';
import { outputFlags } from '../flags/output.ts';
import { planFlags } from '../flags/plan.ts';
import { registryFlags } from '../flags/registry.ts';
import { shareFlags } from '../flags/share.ts';
import { createProgress } from '../ui/create-progress.ts';

export default class Pull extends BaseCommand {
  static override summary = 'Pull an image into the store, each layer once for all nodes that share it.';

  static override description =
    'Prints NAME@DIGEST. Layers that another node of the same store downloads are waited for, not fetched again.';

  static override examples = [
    '<%= config.bin %> pull busybox',
    '<%= config.bin %> pull registry.example:5000/team/app:1.2 --server lock.example:8080 --node node-a',
    '<%= config.bin %> pull busybox --output docker-archive:- | docker load',
    '<%= config.bin %> pull alpine@sha256:… --platform linux/arm64 --json',
    '<%= config.bin %> pull alpine --all-platforms --dry-run',
  ];

  static override args = {
    image: Args.string({
      required: true,
      ignoreStdin: true,
      description: 'Image reference, as docker takes it.',
    }),
  };

  static override flags = {
    ...coordinationFlags,
    ...shareFlags,
    ...peerFlags,
    ...boundFlags,
    ...registryFlags,
    ...planFlags,
    ...outputFlags,
    node: Flags.string({ description: 'Name of this node. Default: the host name.', helpValue: 'ID' }),
    platform: Flags.string({
      description: 'Platform to pull. Default: linux on the architecture of this machine.',
      helpValue: 'OS/ARCH[/VARIANT]',
    }),
    concurrency: Flags.string({
      description: 'Layers downloaded at once, 1 to 64. Default: 6; waiting layers take no place.',
      helpValue: 'N',
    }),
    progress: Flags.string({
      description: 'Form of the progress on stderr. Default: auto.',
      options: [...progressModes],
    }),
    'on-lock-failure': Flags.string({
      description: 'When coordination fails: go on alone, or end with exit code 7. Default: fallback.',
      options: [...lockFailureModes],
    }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Pull);
    const stopping = 'stopping: releasing locks (press Ctrl-C again to exit at once)';
    await this.work(flags, { stopping }, async (context) => {
      const config = readPullConfig(flags, context.machine);
      if (config.plan.dryRun) return await this.preview(args.image, config, context);
      await pull(args.image, config, context, (result) => this.tell(result, config, context));
    });
  }

  private tell(result: PullResult, config: PullConfig, { output }: CommandContext): void {
    if (output.json) this.printJson(result);
    else if (config.output?.path !== '-') this.print(nameOf(result));
    else if (output.progress !== 'json') process.stderr.write(`${nameOf(result)}\n`);
  }

  /** Loaded only by those who ask for it. */
  private async preview(image: string, config: PullConfig, context: CommandContext): Promise<void> {
    const { previewImage } = await import('../compose/preview.ts');
    const { renderPreview } = await import('../ui/preview.ts');
    const preview = await previewImage(image, config, context);
    if (context.output.json) this.printJson(preview);
    else this.print(await renderPreview(preview));
  }
}

/** Loaded only where there are other nodes. */
const loadPeers: PullDeps['loadPeers'] = async (options) => {
  const { loadPeerParts } = await import('../compose/peers.ts');
  return await loadPeerParts(options);
};

/** Who pulls has the result as soon as it is there, also where this node stays for others that read from it. */
async function pull(
  image: string,
  config: PullConfig,
  context: CommandContext,
  tell: (result: PullResult) => void,
): Promise<void> {
  const { log, output, clock, signal } = context;
  const progress = await createProgress(
    { mode: output.progress, interactive: output.interactive, json: output.json },
    { stream: process.stderr, clock, color: output.color, warnings: warns(output.logLevel) },
  );
  try {
    const onEvent: PullDeps['onEvent'] = (event) => progress.handle(event);
    const parts = await composePull(config, { log, onEvent, loadPeers });
    try {
      const result = await parts.run(image, signal);
      progress.close();
      tell(result);
      await parts.linger(signal, () => sayStaying(context));
    } finally {
      await parts.close();
    }
  } finally {
    progress.close();
  }
}

/** For people only: programs have the result already. */
function sayStaying({ output, log }: CommandContext): void {
  const note = 'serving layers to other nodes until they have them (Ctrl-C ends that)';
  if (output.quiet || output.json || output.progress === 'none' || output.progress === 'json')
    log.info({}, note);
  else process.stderr.write(`${note}\n`);
}

function warns(level: CommandContext['output']['logLevel']): boolean {
  return level !== 'error' && level !== 'silent';
}

/** The reference, with the digest it resolved to unless it names that already. */
function nameOf({ reference, digest }: PullResult): string {
  return reference.endsWith(`@${digest}`) ? reference : `${reference}@${digest}`;
}
