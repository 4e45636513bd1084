import { cliEnv, cliProgram } from '../../test/support/cli.ts';
import { requireComponent } from '../../test/support/component-list.ts';
import type { Command } from '../lib/measure.ts';

/** A program to measure: how it pulls `reference` into the folder `into`. */
export interface Contender {
  readonly name: string;
  command(reference: string, into: string): Command;
}

export const layerpull: Contender = {
  name: 'layerpull',
  command: (reference, into) => ({
    program: process.execPath,
    args: [
      cliProgram(),
      'pull',
      reference,
      ...['--store', into, '--platform', 'linux/amd64', '--progress', 'none'],
    ],
    env: cliEnv(),
  }),
};

export const skopeo: Contender = {
  name: 'skopeo',
  command: (reference, into) => {
    const { path: program, env } = requireComponent('skopeo');
    const from = ['--src-tls-verify=false', `docker://${reference}`];
    return {
      program,
      args: ['--insecure-policy', 'copy', '-q', ...from, `oci:${into}:bench`],
      env: { ...process.env, ...env },
    };
  },
};
