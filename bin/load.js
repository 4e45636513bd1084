import { readFileSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import path from 'node:path';
import v8 from 'node:v8';
import vm from 'node:vm';

/** Beside the program: what V8 made of it when it was built. */
export const codeCacheOf = (file) => `${file}.cache`;

/**
 * Loads the program, compiled already where that can be had: by Node itself from 22 on, else as the build left it.
 * Compiling is a third of a short pull. V8 itself refuses compiled code that another version or another file made.
 *
 * @param {string} file
 */
export function loadProgram(file) {
  // The HTTP parser is WebAssembly, and a short program would wait at its end for code that it optimised for nothing.
  v8.setFlagsFromString('--liftoff-only');
  if (!module.enableCompileCache) return loadCompiled(file).exports;
  module.enableCompileCache();
  return createRequire(file)(file);
}

/**
 * @param {string} file
 * @returns {{ exports: any, script: vm.Script }} `script` has the code to keep
 */
export function loadCompiled(file) {
  // Nor should it spend a seventh of its time on optimising what is about to end.
  v8.setFlagsFromString('--interrupt-budget=500000');
  const code = module.wrap(readFileSync(file, 'utf8'));
  const script = new vm.Script(code, { filename: file, cachedData: read(codeCacheOf(file)) });
  const require = createRequire(file);
  const program = new module.Module(file);
  // The commands, in files of their own, ask for the program: this one.
  require.cache[file] = program;
  script.runInThisContext()(program.exports, require, program, file, path.dirname(file));
  program.loaded = true;
  return { exports: program.exports, script };
}

function read(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}
