import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readPasswordFile } from '../../src/http/password-file.ts';
import { errorOf } from '../support/config.ts';
import { tempDir } from '../support/temp.ts';

function fileWith(text: string | Buffer, mode = 0o600): string {
  const file = path.join(tempDir(), 'password');
  writeFileSync(file, text, { mode });
  return file;
}

const from = '--etcd-password-file';
const refused = (file: string) => errorOf(() => readPasswordFile(file, from));

describe('a password file', () => {
  it.each([
    ['hunter2', 'hunter2'],
    ['hunter2\n', 'hunter2'],
    ['hunter2\r\n', 'hunter2'],
    [' with blanks \n', ' with blanks '],
    ['pässwörd', 'pässwörd'],
  ])('holds one: %j', (text, password) => {
    expect(readPasswordFile(fileWith(text), from)).toEqual({ text: password, notice: undefined });
  });

  it.each([
    ['', 'holds no password'],
    ['\n', 'holds no password'],
    ['hunter2\nhunter3\n', 'holds more than one line'],
    ['hunter2\n\n', 'holds more than one line'],
    ['x'.repeat(4_097), 'is longer than 4 KiB'],
  ])('is refused without showing what it holds: %j', (text, problem) => {
    const file = fileWith(text);
    const { code, message, hint } = refused(file);
    expect([code, message]).toEqual(['usage', `--etcd-password-file: ${file} ${problem}`]);
    expect(`${message} ${hint}`).not.toContain('hunter');
  });

  it('is named where it is not there, or is no file', () => {
    expect(refused('/nowhere/password').message).toBe(
      '--etcd-password-file: /nowhere/password does not exist',
    );
    const folder = tempDir();
    expect(refused(folder).message).toBe(`--etcd-password-file: ${folder} is no regular file`);
    const pipe = path.join(tempDir(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    expect(refused(pipe).message).toBe(`--etcd-password-file: ${pipe} is no regular file`);
  });

  it('is for its owner, which it says where others may read it', () => {
    expect(readPasswordFile(fileWith('hunter2', 0o644), from).notice).toMatch(
      /^--etcd-password-file: others may read \S+ \(mode 0644\): take that away with chmod 600$/,
    );
  });
});
