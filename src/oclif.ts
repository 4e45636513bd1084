// The parts of oclif that the program around the commands needs. All of it takes twice as long to load: the other half
// generates documentation and finds plugins.
export * as Errors from '@oclif/core/errors';
export { run } from '@oclif/core/run';
export { settings } from '@oclif/core/settings';
