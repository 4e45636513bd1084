import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isLayerpullError, type LayerpullError } from '../../src/core/errors.ts';
import { formatReference, nameOf, parseReference } from '../../src/registry/reference.ts';

const sha256 = `sha256:${'a'.repeat(64)}`;
const sha512 = `sha512:${'0'.repeat(128)}`;

function errorOf(text: string): LayerpullError {
  try {
    parseReference(text);
  } catch (error) {
    if (isLayerpullError(error)) return error;
    throw error;
  }
  throw new Error(`${text} was accepted`);
}

describe('a reference that docker accepts', () => {
  it.each([
    ['busybox', 'docker.io/library/busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36'],
    ['library/busybox', 'docker.io/library/busybox:latest'],
    ['owner/app', 'docker.io/owner/app:latest'],
    ['a/b/c', 'docker.io/a/b/c:latest'],
    ['docker.io/busybox', 'docker.io/library/busybox:latest'],
    ['index.docker.io/busybox', 'docker.io/library/busybox:latest'],
    ['index.docker.io/owner/app:x', 'docker.io/owner/app:x'],
    ['ghcr.io/owner/app', 'ghcr.io/owner/app:latest'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000', 'docker.io/library/localhost:5000'],
    ['localhost:5000/app', 'localhost:5000/app:latest'],
    ['127.0.0.1:5000/library/busybox:latest', '127.0.0.1:5000/library/busybox:latest'],
    ['[::1]:5000/app:v1', '[::1]:5000/app:v1'],
    ['[2001:db8::1]/app', '[2001:db8::1]/app:latest'],
    ['MyHost/app', 'MyHost/app:latest'],
    ['host:80/a.b/c_d/e__f/g---h', 'host:80/a.b/c_d/e__f/g---h:latest'],
    ['app:_Tag.With-All_1', 'docker.io/library/app:_Tag.With-All_1'],
    [`app@${sha256}`, `docker.io/library/app@${sha256}`],
    [`app@${sha512}`, `docker.io/library/app@${sha512}`],
    [`ghcr.io/app:1@${sha256}`, `ghcr.io/app:1@${sha256}`],
    [`${'b'.repeat(63)}`, `docker.io/library/${'b'.repeat(63)}:latest`],
    [`app:${'t'.repeat(128)}`, `docker.io/library/app:${'t'.repeat(128)}`],
  ])('reads %s', (text, full) => {
    expect(formatReference(parseReference(text))).toBe(full);
  });

  it('has a name without tag and digest', () => {
    expect(nameOf(parseReference(`busybox:1@${sha256}`))).toBe('docker.io/library/busybox');
  });
});

describe('a wrong reference', () => {
  it.each([
    ['', 'is empty'],
    [' ', 'white space'],
    ['busy box', 'white space'],
    ['busybox\n', 'white space'],
    ['büsybox', 'outside of ASCII'],
    ['https://ghcr.io/owner/app', 'no scheme'],
    ['docker://busybox', 'no scheme'],
    ['BusyBox', 'upper case'],
    ['owner/App', 'upper case'],
    ['busybox:', 'tag after the colon is empty'],
    ['busybox:a+b', 'the character "+"'],
    ['busybox:-a', 'begins with "-"'],
    ['busybox:.a', 'begins with "."'],
    ['busybox:a:b', 'the character ":"'],
    [`busybox:${'t'.repeat(129)}`, 'a tag of 129 characters'],
    [`${'n'.repeat(256)}`, 'a repository name of 264 characters'],
    [`ghcr.io/${'n'.repeat(256)}`, 'a repository name of 256 characters'],
    [`${'n/'.repeat(2_000)}n`, 'too long'],
    ['a'.repeat(64), '64 hexadecimal digits'],
    ['busybox@', 'is empty'],
    ['busybox@sha256', 'names no algorithm'],
    ['busybox@sha256:abc', 'has 3 hexadecimal digits instead of 64'],
    [`busybox@sha256:${'A'.repeat(64)}`, 'has upper case'],
    [`busybox@sha256:${'g'.repeat(64)}`, 'not hexadecimal'],
    [`busybox@md5:${'a'.repeat(32)}`, 'the algorithm "md5"'],
    [`@${sha256}`, 'no name before the @'],
    [`busybox@${sha256}@${sha256}`, 'not hexadecimal'],
    ['ghcr.io/', 'no repository name'],
    ['ghcr.io/:tag', 'no repository name'],
    ['/busybox', 'an empty part'],
    ['owner//app', 'an empty part'],
    ['owner/app/', 'an empty part'],
    ['owner/a$b', 'the character "$"'],
    ['-app', 'the part "-app"'],
    ['app_', 'the part "app_"'],
    ['owner/a..b', 'the part "a..b"'],
    ['owner/a___b', 'the part "a___b"'],
    ['owner/a:b/c', 'colon inside'],
    ['host:port/app', '"port" as port'],
    ['host:/app', '"" as port'],
    ['host:0/app', '"0" as port'],
    ['host:70000/app', '"70000" as port'],
    ['-host.example/app', 'not a host name'],
    ['host..example/app', 'not a host name'],
    ['1.2.3.999/app', 'not a valid address'],
    ['[:::]:5000/app', 'not a valid address'],
    ['[::1/app', 'not a host name'],
  ])('gets one line that says what is wrong: %#', (text, problem) => {
    const error = errorOf(text);
    expect(error.code).toBe('invalid_reference');
    expect(error.message).toContain(problem);
    expect(error.message).not.toMatch(/[^\x20-\x7e…]/);
    expect(error.hint).toBeTruthy();
  });

  it('in upper case proposes the lower case where that is a name', () => {
    expect(errorOf('owner/App').hint).toBe('write "owner/app"');
    expect(errorOf('owner//App').hint).not.toContain('owner//app');
  });

  it('does not repeat a password', () => {
    const error = errorOf('user:hunter2@ghcr.io/owner/app');
    expect(error.message).toContain('credentials');
    expect(`${error.message} ${error.hint}`).not.toContain('hunter2');
    expect(errorOf('https://user:hunter2@ghcr.io/app').message).not.toContain('hunter2');
  });
});

describe('any text', () => {
  const host = fc.constantFrom('ghcr.io', 'localhost', 'localhost:5000', '[::1]:5000', 'Upper', 'docker.io');
  const part = fc.stringMatching(/^[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}$/);
  const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  const tag = fc.option(fc.stringMatching(/^\w[\w.-]{0,20}$/), { nil: undefined });
  const digest = fc.option(fc.constantFrom(sha256, sha512), { nil: undefined });

  it('is the same reference after it was written in full and read again', () => {
    fc.assert(
      fc.property(host, path, tag, digest, (registry, repository, oneTag, oneDigest) => {
        const text = `${registry}/${repository}${oneTag ? `:${oneTag}` : ''}${oneDigest ? `@${oneDigest}` : ''}`;
        const reference = parseReference(text);
        expect(parseReference(formatReference(reference))).toEqual(reference);
      }),
    );
  });

  it('is a reference or gets a LayerpullError, and what is accepted makes a URL', () => {
    const likely = fc.string({ unit: fc.constantFrom(...'aA0.:/@-_[]%?# \n'), maxLength: 40 });
    fc.assert(
      fc.property(fc.oneof(likely, fc.string({ unit: 'binary' })), (text) => {
        try {
          const { registry, repository } = parseReference(text);
          expect(new URL(`https://${registry}/v2/${repository}/x`).pathname).toBe(`/v2/${repository}/x`);
        } catch (error) {
          expect(error).toMatchObject({
            code: 'invalid_reference',
            message: expect.not.stringMatching(/\n/),
          });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
