import { describe, expect, it } from 'vitest';
import { type Fields, parseFilters } from '../../src/containerd/filters/parse.ts';
import { unquote } from '../../src/containerd/filters/unquote.ts';

const labels: Readonly<Record<string, string>> = {
  foo: 'bar',
  empty: '',
  'very complex label': 'a,b',
  'k8s.io/app': 'web-1',
  Ünicode: 'ß',
};
const fields: Fields = ([first, ...rest]) => {
  if (first === 'name') return 'image-1';
  if (first === 'ref') return 'default/1/layer-sha256:abc';
  return first === 'labels' ? labels[rest.join('.')] : undefined;
};
const fits = (...filters: string[]) => parseFilters(filters)(fields);

describe('a filter', () => {
  it.each([
    '',
    'name',
    'name==image-1',
    ' name == image-1',
    'name!=other',
    'other!=x',
    'name~=^image-[0-9]+$',
    'name~=mage',
    'name~="im.ge"',
    'name~=/^image/',
    'name~=|^image|',
    String.raw`name~=/image-\\d/`,
    'name~=(?i)IMAGE',
    'labels.foo',
    'labels.empty',
    'labels.foo==bar',
    'labels.foo=="bar"',
    'labels."very complex label"=="a,b"',
    'labels.k8s.io/app'.replace('k8s.io/app', '"k8s.io/app"'),
    'labels.k8s."io/app"==web-1',
    'labels."\\u00dcnicode"==ß',
    'name==image-1,labels.foo',
    'name==image-1, labels.foo==bar',
    'ref==default/1/layer-sha256:abc',
  ])('fits: %s', (filter) => {
    expect(fits(filter)).toBe(true);
  });

  it.each([
    'other',
    'name==image',
    'name!=image-1',
    'name~=^mage',
    'labels.Foo',
    'labels.foo,labels.other',
    'name==image-1,name!=image-1',
    'other==x',
    'name~=(',
    'name~=(?<=x)a',
  ])('does not fit: %s', (filter) => {
    expect(fits(filter)).toBe(false);
  });

  it.each([
    'name=image-1',
    'name===image-1',
    'name<>x',
    'name==',
    'name~=',
    '==x',
    ',name',
    'name,',
    'name,,name',
    'name name',
    'name.',
    '.name',
    'name=="unended',
    'name==/only for expressions/',
    '/name/==x',
    String.raw`name=="\q"`,
    String.raw`name=="\ud800"`,
    'name==a,b==',
    'näme',
    'name==a b',
    'name\0',
    '"',
    '\\',
    'x'.repeat(16_385),
  ])('cannot be read: %s', (filter) => {
    expect(() => fits(filter)).toThrow(expect.objectContaining({ status: 'invalidArgument' }));
  });

  it('is one of several of which any may fit', () => {
    expect(fits()).toBe(true);
    expect(fits('other', 'name')).toBe(true);
    expect(fits('other', 'labels.other')).toBe(false);
    expect(() => fits('name', 'name=')).toThrow();
    expect(() => fits(...Array<string>(1_001).fill('name'))).toThrow();
  });

  it('does not hang on an expression that takes for ever', () => {
    const slow = parseFilters(['name~=^(a+)+$']);
    expect(() => slow(() => `${'a'.repeat(60)}!`)).toThrow(
      expect.objectContaining({ status: 'invalidArgument' }),
    );
  });
});

describe('a quoted text', () => {
  it('has the escapes of Go', () => {
    expect(unquote(String.raw`"a\tb\\c\"d\x41\101\u00e9\U0001f600"`)).toBe('a\tb\\c"dAA\u00e9\u{1f600}');
    expect(unquote(String.raw`/a\/b/`)).toBe('a/b');
  });

  it.each([
    String.raw`"\'"`,
    String.raw`"\x4"`,
    String.raw`"\9"`,
    String.raw`"\U00110000"`,
    String.raw`"\/"`,
  ])('has no others: %s', (text) => {
    expect(unquote(text)).toBeUndefined();
  });
});
