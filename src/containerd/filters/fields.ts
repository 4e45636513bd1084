import type { ShelfEntry } from '../../store/shelf.ts';
import type { Progress } from '../ref-writer.ts';
import type { Fields } from './parse.ts';

/** `digest` and `labels.NAME`, where the name may hold dots. */
export function fieldsOfContent({ digest, labels }: ShelfEntry): Fields {
  return ([first, ...rest]) => {
    if (first === 'digest') return digest;
    const name = rest.join('.');
    return first === 'labels' && Object.hasOwn(labels, name) ? labels[name] : undefined;
  };
}

/** `ref` */
export function fieldsOfIngest({ ref }: Progress): Fields {
  return ([first]) => (first === 'ref' ? ref : undefined);
}
