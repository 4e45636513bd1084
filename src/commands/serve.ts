import * as Flags from '@oclif/core/flags';
import { BaseCommand, type CommandContext } from '../command.ts';
import { composeServe } from '../compose/serve.ts';
import { readServeConfig } from '../config/serve.ts';
import type { GivenFlags } from '../config/values.ts';
import { etcdFlags } from '../flags/etcd.ts';
import { trustFlags } from '../flags/trust.ts';

export default class Serve extends BaseCommand {
  static override summary = 'Run the lock server that nodes share.';

  static override description =
    'Prints its URL and runs until SIGINT or SIGTERM, then ends with exit code 0. What it acknowledged survives a restart on the same data directory.';

  static override examples = [
    '<%= config.bin %> serve',
    '<%= config.bin %> serve --addr :8080',
    '<%= config.bin %> serve --addr :8080 --data /srv/layerpull --log-format json',
    '<%= config.bin %> serve --addr :8080 --token-file /etc/layerpull/fleet.token',
    '<%= config.bin %> serve --addr :8080 --backend etcd://10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379',
    '<%= config.bin %> serve --addr 127.0.0.1:0 --ephemeral',
  ];

  static override flags = {
    addr: Flags.string({
      description: 'Address to listen on. Port 0 picks a free one. Default: 127.0.0.1:8080.',
      helpValue: 'HOST:PORT',
    }),
    ...trustFlags,
    data: Flags.string({
      description: 'Directory that keeps locks and places over restarts. One server at a time uses it.',
      helpValue: 'DIR',
    }),
    ephemeral: Flags.boolean({
      description: 'Keep everything in memory: after a restart running pulls bring back what they hold.',
    }),
    ...etcdFlags,
    'no-queue': Flags.boolean({ description: 'Refuse a lock that is taken, instead of queueing.' }),
    'session-ttl': Flags.string({
      description: 'A node that is silent for this long loses its locks. Default: 15s.',
      helpValue: 'DURATION',
    }),
    'stall-timeout': Flags.string({
      description: 'A holder that brings nothing on for this long gives way. Default: 20s.',
      helpValue: 'DURATION',
    }),
    'fan-out': Flags.string({
      description: 'Nodes that read one layer from one node, as long as there is another. Default: 2.',
      helpValue: 'N',
    }),
    'sessionless-grace': Flags.string({
      description:
        'Time for a client without a session to come back after it closed its connections. Default: 30s.',
      helpValue: 'DURATION',
    }),
    'sessionless-lease': Flags.string({
      description: 'Longest lock of a client without a session that does not ask about it. Default: 10m.',
      helpValue: 'DURATION',
    }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Serve);
    const options = {
      logLevel: 'info',
      logFormat: 'json',
      stopping: 'stopping (press Ctrl-C again to exit at once)',
    } as const;
    await this.work(flags, options, (context) => this.serve(flags, context));
  }

  private async serve(flags: GivenFlags, context: CommandContext): Promise<void> {
    const { machine, log, output, signal, onHangup } = context;
    const server = await composeServe(readServeConfig(flags, machine), { log });
    onHangup(server.reload);
    try {
      if (output.json) this.printJson({ url: server.url });
      else this.print(server.url);
      await Promise.race([aborted(signal), server.failed]);
    } finally {
      await server.close();
    }
  }
}

/** A stop signal is how a server ends, not a failure of it. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
