import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import { BaseCommand } from '../command.ts';
import { examine, exitCodeOf } from '../compose/doctor.ts';
import { readDoctorConfig } from '../config/doctor.ts';
import { coordinationFlags } from '../flags/coordination.ts';
import { registryFlags } from '../flags/registry.ts';
import { findingsDocument, renderFindings } from '../ui/doctor.ts';

export default class Doctor extends BaseCommand {
  static override summary =
    'Look whether this machine, its store, servers and containerd are set up as they should be.';

  static override description =
    'Only looks, and says what to do. With an image it asks its registry, too. Ends with the exit code of the first failure. With -q it says only what is not ok.';

  static override examples = [
    '<%= config.bin %> doctor',
    '<%= config.bin %> doctor busybox --server lock.example:8080',
    '<%= config.bin %> doctor --content-socket /run/layerpull/content.sock',
    '<%= config.bin %> doctor --json',
  ];

  static override args = {
    image: Args.string({
      ignoreStdin: true,
      description: 'An image that this machine should be able to pull.',
    }),
  };

  static override flags = {
    ...coordinationFlags,
    'content-socket': Flags.string({
      description: 'Socket of the content plugin. Default: the one that containerd is told of.',
      helpValue: 'PATH',
    }),
    'containerd-config': Flags.string({
      description: 'Configuration of containerd. Default: /etc/containerd/config.toml.',
      helpValue: 'FILE',
    }),
    'containerd-socket': Flags.string({
      description: 'Socket of containerd. Default: the one that its configuration says.',
      helpValue: 'PATH',
    }),
    ...registryFlags,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Doctor);
    await this.work(flags, { stopping: 'stopping' }, async ({ machine, output, log, signal }) => {
      const config = readDoctorConfig(flags, machine);
      const findings = await examine(args.image, config, { log, signal });
      const exitCode = exitCodeOf(findings);
      const shown = output.quiet ? findings.filter(({ verdict }) => verdict !== 'ok') : findings;
      const color = output.color && machine.stdoutIsTerminal;
      if (output.json) this.printJson(findingsDocument(findings, exitCode));
      else if (shown.length > 0) this.print(renderFindings(shown, { color }));
      if (exitCode !== 0) this.exit(exitCode);
    });
  }
}
