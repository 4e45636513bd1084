import type { Command, CommandOf } from '../../../src/lock/machine/commands.ts';
import { machineOptions } from '../../../src/lock/machine/options.ts';
import { createState, type MachineState } from '../../../src/lock/machine/state.ts';
import { type StepResult, step } from '../../../src/lock/machine/step.ts';

/** A machine, by itself or behind servers that share it. */
export interface Stepper {
  readonly state: MachineState;
  step<Kind extends Command['kind']>(command: CommandOf<Kind>, nowMs: number): StepResult<Kind>;
}

export function bareMachine(recoveryMs: number): Stepper {
  const state = createState(machineOptions({ recoveryMs }), 0);
  return { state, step: (command, nowMs) => step(state, command, nowMs) };
}
