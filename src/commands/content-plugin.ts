import * as Flags from '@oclif/core/flags';
import { BaseCommand, type CommandContext } from '../command.ts';
import { type RunningContentPlugin, startContentPlugin } from '../compose/content-plugin.ts';
import { type ContentPluginConfig, readContentPluginConfig } from '../config/content-plugin.ts';
import type { GivenFlags } from '../config/values.ts';
import { boundFlags, peerFlags } from '../flags/bounds.ts';
import { containerdRootFlags } from '../flags/containerd-root.ts';
import { coordinationFlags } from '../flags/coordination.ts';
import { daemonFlags } from '../flags/daemon.ts';
import { nodeFlag } from '../flags/node.ts';

export default class ContentPlugin extends BaseCommand {
  static override summary = 'Run the content store of a containerd: its layers come as those of pulls do.';

  static override description =
    'Prints its socket and runs until SIGINT or SIGTERM. Then it lets those finish who write to it or read from this node, and ends with exit code 0. What it has to say goes to stderr, one JSON object a line.';

  static override examples = [
    '<%= config.bin %> content-plugin --server lock.example:8080',
    '<%= config.bin %> content-plugin --socket /run/layerpull/content.sock --server lock.example:8080 --zone rack-4',
    '<%= config.bin %> content-plugin --socket /run/layerpull/content.sock --store /srv/layerpull',
    '<%= config.bin %> content-plugin --containerd-root /var/lib/containerd --import',
    'LOCK_SERVER_URL=http://lock.example:8080 NODE_ID=node-7 CONTENTD_SOCKET=/run/contentd.sock <%= config.bin %> content-plugin',
  ];

  static override flags = {
    socket: Flags.string({
      description: 'Socket on which containerd finds its content. Default: /run/layerpull/content.sock.',
      helpValue: 'PATH',
    }),
    'containerd-socket': Flags.string({
      description:
        'Socket of containerd, which is asked whether it uses this one; the log tells. Default: it is not asked.',
      helpValue: 'PATH',
    }),
    ...containerdRootFlags,
    ...coordinationFlags,
    ...nodeFlag,
    ...daemonFlags,
    ...peerFlags,
    ...boundFlags,
    'drain-timeout': Flags.string({
      description: 'When told to end: time for those who write here or read from this node. Default: 20s.',
      helpValue: 'DURATION',
    }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(ContentPlugin);
    const options = {
      logLevel: 'info',
      logFormat: 'json',
      stopping: 'stopping once nobody writes here or reads from here (press Ctrl-C again to exit at once)',
    } as const;
    await this.work(flags, options, async (context) => await this.serve(flags, context));
  }

  private async serve(flags: GivenFlags, context: CommandContext): Promise<void> {
    const { machine, signal, allowMs, onHangup, output } = context;
    const config = readContentPluginConfig(flags, machine);
    allowMs(config.drainMs + closingMs);
    const plugin = await startUnlessStopped(config, context);
    if (!plugin) return;
    onHangup(plugin.reload);
    try {
      if (output.json) this.printJson(documentOf(plugin));
      else this.print(plugin.socket);
      await aborted(signal);
      await plugin.drain();
    } finally {
      await plugin.close();
    }
  }
}

/** Room for the last words to the lock server. */
const closingMs = 8_000;

/** Undefined when it was told to end while it started. */
async function startUnlessStopped(
  config: ContentPluginConfig,
  { log, signal }: CommandContext,
): Promise<RunningContentPlugin | undefined> {
  try {
    return await startContentPlugin(config, { log, signal });
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

function documentOf({ socket, store, peerUrl }: RunningContentPlugin) {
  return { socket, store, peerUrl: peerUrl ?? null };
}

/** A stop signal is how it ends, not a failure of it. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
