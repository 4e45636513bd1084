import { bad } from './certificates.ts';
import { readSecretFile, type SecretFile } from './secret-file.ts';

const maxBytes = 4_096;

/**
 * The password of a file: its one line, with blanks as they are; the end of the line does not count.
 * @throws LayerpullError `usage`, never with the password in it; `from` names who asked for the file
 */
export function readPasswordFile(file: string, from: string): SecretFile {
  const hint = 'write the password into it, and nothing else';
  const { text, notice } = readSecretFile(file, {
    ...{ from, maxBytes },
    hints: { irregular: 'write the password into a file', tooLong: hint },
  });
  const password = text.replace(/\r?\n$/, '');
  if (password === '') throw bad(file, 'holds no password', hint, from);
  if (/\p{Cc}/u.test(password)) throw bad(file, 'holds more than one line', hint, from);
  return { text: password, notice };
}
