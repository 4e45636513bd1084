// Makes the project ready to run: dependencies as in package-lock.json, dist as in src. Quiet when nothing is to do.
// Uses Node's own modules only, since nothing else may be installed yet.
import { nodeProblem, prepare } from './lib/prepare.js';

const problem = nodeProblem();
if (problem) process.stderr.write(`${problem}\n`);
process.exitCode = problem ? 1 : await prepare();
