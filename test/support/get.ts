/** One GET, its answer read to the end. */
export async function get(url: string): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(url);
  return { status: response.status, text: await response.text() };
}

/** One request, its answer as it comes. */
export async function open(url: string, options: RequestInit = {}): Promise<Response> {
  return await fetch(url, options);
}
