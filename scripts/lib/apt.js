import fs from 'node:fs';
import path from 'node:path';
import { capture } from './run.js';

/**
 * Debian's package tools with lists and caches of our own: nothing of the system changes and no rights are needed.
 *
 * @param {string} dir where lists and caches go
 */
export function createApt(dir) {
  const env = { ...process.env, LC_ALL: 'C' };
  const options = aptOptions(dir);

  const run = async (/** @type {string[]} */ args, cwd = dir) => {
    const result = await capture('apt-get', ['-q', ...options, ...args], { cwd, env });
    if (result.code !== 0) throw new Error(`apt-get ${args.join(' ')}: ${lastLine(result.stderr)}`);
    return result.stdout;
  };

  return {
    /** Reads the lists of packages anew. */
    update: () => run(['update']),

    /**
     * The packages that `name` needs and this system lacks.
     *
     * @param {string} name
     * @returns {Promise<string[]>}
     */
    async lackedBy(name) {
      const plan = await run(['--simulate', '--no-install-recommends', 'install', name]);
      return [...plan.matchAll(/^Inst (\S+)/gm)]
        .map((match) => match[1] ?? '')
        .filter((each) => each !== name);
    },

    /**
     * Downloads packages (apt checks them against its signed lists) and unpacks them into `into`.
     *
     * @param {string[]} names
     * @param {string} into
     */
    async unpack(names, into) {
      const downloads = fs.mkdtempSync(path.join(dir, 'download-'));
      try {
        await run(['download', ...names], downloads);
        for (const file of fs.readdirSync(downloads)) await extract(path.join(downloads, file), into);
      } finally {
        fs.rmSync(downloads, { recursive: true, force: true });
      }
    },
  };
}

/** Whether this machine has the tools. */
export async function hasApt() {
  const results = await Promise.all([capture('apt-get', ['--version']), capture('dpkg-deb', ['--version'])]);
  return results.every(({ code }) => code === 0);
}

/** @param {string} dir */
function aptOptions(dir) {
  fs.mkdirSync(path.join(dir, 'state', 'lists', 'partial'), { recursive: true });
  fs.mkdirSync(path.join(dir, 'cache', 'archives', 'partial'), { recursive: true });
  return [
    `Dir::State=${path.join(dir, 'state')}`,
    `Dir::Cache=${path.join(dir, 'cache')}`,
    'APT::Sandbox::User=root',
    'Acquire::Retries=2',
    'Acquire::http::Timeout=20',
    'Acquire::https::Timeout=20',
  ].flatMap((option) => ['-o', option]);
}

/**
 * @param {string} file
 * @param {string} into
 */
async function extract(file, into) {
  const result = await capture('dpkg-deb', ['--extract', file, into]);
  if (result.code !== 0) throw new Error(`dpkg-deb --extract: ${lastLine(result.stderr)}`);
}

/** @param {string} text */
function lastLine(text) {
  return text.trim().split('\n').pop() ?? '';
}
