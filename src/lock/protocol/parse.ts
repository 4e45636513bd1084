import * as v from 'valibot';

export type Schema<Output> = v.GenericSchema<unknown, Output>;

export type Parsed<Output> =
  | { readonly ok: true; readonly value: Output }
  /** `problem` is half a sentence that begins with the name of the field. */
  | { readonly ok: false; readonly problem: string };

/** Checks what came from the network. Unknown fields are ignored; only the first problem is told. */
export function parse<S extends v.GenericSchema>(schema: S, input: unknown): Parsed<v.InferOutput<S>> {
  const result = v.safeParse(schema, input, { abortEarly: true, abortPipeEarly: true });
  if (result.success) return { ok: true, value: result.output };
  return { ok: false, problem: describe(result.issues[0]) };
}

function describe(issue: v.BaseIssue<unknown>): string {
  const field = v.getDotPath(issue);
  if (issue.input === undefined) return `${field ?? 'the body'} is missing`;
  return `${field ?? 'the body'} ${issue.message}`;
}
