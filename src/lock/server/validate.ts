import type { FastifySchemaCompiler, FastifyTypeProvider } from 'fastify';
import type * as v from 'valibot';
import { LayerpullError } from '../../core/errors.ts';
import { parse } from '../protocol/parse.ts';

/** Gives `request.body`, `query` and `params` the type that their schema produces. */
export interface ValibotTypes extends FastifyTypeProvider {
  readonly validator: this['schema'] extends v.GenericSchema ? v.InferOutput<this['schema']> : unknown;
}

/** Checks with valibot; what a handler sees is the schema's output. */
export const compileSchema: FastifySchemaCompiler<v.GenericSchema> =
  ({ schema }) =>
  (data) => {
    const parsed = parse(schema, data ?? undefined);
    if (parsed.ok) return { value: parsed.value };
    return { error: new LayerpullError('usage', parsed.problem) };
  };
