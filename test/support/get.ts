/** One GET, its answer read to the end. */
export async function get(url: string): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(url);
  return { status: response.status, text: await response.text() };
}

/** One request, its answer as it comes. */
export async function open(url: string, options: RequestInit = {}): Promise<Response> {
  return await fetch(url, options);
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
}

/** One request, its answer read to the end as bytes. */
export async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init);
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, headers: response.headers, bytes };
}
