import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createNoProxy } from '../../src/http/no-proxy.ts';

const isException = (list: string, url: string) => createNoProxy(list)(new URL(url));

describe('NO_PROXY', () => {
  it.each([
    ['*', 'https://registry.example/'],
    ['a.example, *', 'https://registry.example/'],
    ['example.com', 'https://example.com/'],
    ['example.com', 'https://deep.down.example.com/'],
    ['EXAMPLE.com', 'https://Registry.Example.COM/'],
    ['.example.com', 'https://registry.example.com/'],
    ['*.example.com', 'https://registry.example.com/'],
    ['one.example,example.com', 'https://example.com:5000/'],
    ['one.example example.com', 'https://example.com/'],
    ['example.com:5000', 'https://example.com:5000/'],
    ['example.com:5000', 'http://registry.example.com:5000/'],
    ['example.com:443', 'https://example.com/'],
    ['example.com:80', 'http://example.com/'],
    ['example.com.', 'https://example.com/'],
    ['example.com', 'https://example.com./'],
    ['bücher.example', 'https://bücher.example/'],
    ['10.1.2.3', 'https://10.1.2.3:5000/'],
    ['10.1.2.3:5000', 'https://10.1.2.3:5000/'],
    ['10.0.0.0/8', 'https://10.200.3.4/'],
    ['0.0.0.0/0', 'https://8.8.8.8/'],
    ['fd00::1', 'https://[fd00::1]:5000/'],
    ['[fd00::1]', 'https://[fd00::1]/'],
    ['[fd00::1]:5000', 'https://[fd00::1]:5000/'],
    ['fd00::/8', 'https://[fdab::12]/'],
    ['10.0.0.0/8', 'https://[::ffff:10.1.2.3]/'],
  ])('"%s" takes %s past the proxy', (list, url) => {
    expect(isException(list, url)).toBe(true);
  });

  it.each([
    ['', 'https://registry.example/'],
    [',, ,', 'https://registry.example/'],
    ['example.com', 'https://notexample.com/'],
    ['example.com', 'https://example.com.evil.example/'],
    ['.example.com', 'https://example.com/'],
    ['*.example.com', 'https://example.com/'],
    ['example.com:5000', 'https://example.com/'],
    ['example.com:443', 'http://example.com/'],
    ['example.*', 'https://example.com/'],
    ['10.1.2.3', 'https://10.1.2.30/'],
    ['10.1.2.3:5000', 'https://10.1.2.3:5001/'],
    ['10.0.0.0/8', 'https://11.0.0.1/'],
    ['10.0.0.0/33', 'https://10.0.0.1/'],
    ['10.0.0.0/8', 'https://ten.example/'],
    ['fd00::/8', 'https://[fe00::1]/'],
    [':5000', 'https://registry.example:5000/'],
    ['.', 'https://registry.example/'],
    ['*.', 'https://registry.example/'],
  ])('"%s" leaves %s to the proxy', (list, url) => {
    expect(isException(list, url)).toBe(false);
  });

  it.each([
    'http://localhost:5000/',
    'https://localhost/',
    'http://app.localhost/',
    'http://127.0.0.1:5000/',
    'http://127.9.8.7/',
    'https://[::1]:5000/',
    'https://[::ffff:127.0.0.1]/',
  ])('never sends %s through a proxy', (url) => {
    expect(isException('', url)).toBe(true);
  });

  it('takes any text', () => {
    const hosts = fc.constantFrom('registry.example', '10.1.2.3', '[fd00::1]');
    const pieces = fc.array(
      fc.constantFrom('*', '.', ':', '/', '8', '[', ']', 'a', '10.1.2.3', '::', ',', ' '),
    );
    const lists = fc.oneof(
      fc.string(),
      pieces.map((all) => all.join('')),
    );
    fc.assert(
      fc.property(lists, hosts, (list, host) => {
        expect(typeof isException(list, `https://${host}/`)).toBe('boolean');
      }),
    );
  });
});
