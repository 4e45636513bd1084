/**
 * For tests that hold bytes back until others have started, or that say how often something was read: with these
 * nobody is left because it was slow or silent meanwhile, however long a busy machine takes.
 */
export const patientServer: readonly string[] = ['--stall-timeout', '10m'];

const patientReader = ['--min-rate', '0', '--peer-stall-timeout', '10m', '--peer-min-rate', '0'];
const reach = ['--first-contact', '10m', '--out-of-reach', '10m'];

/** The same for agents without a mirror, and for plugins: they have no time limit for the registry. */
export const patientAgent: readonly string[] = [...patientReader, ...reach];

/** The same for pulls, and for agents with a mirror; the lock server is another matter. */
export const patientSources: readonly string[] = [...patientReader, '--stall-timeout', '10m'];

/** The same, and the lock server has time as well. */
export const patientPull: readonly string[] = [...patientSources, ...reach];
