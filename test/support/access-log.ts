/** One request as a registry logged it. */
export interface AccessEntry {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly status: number;
  /** Bytes of the body that were sent. */
  readonly bytes: number;
  /** The client asked for a part and got it (206). */
  readonly partial: boolean;
  readonly userAgent: string;
}

const combinedFormat = /^\S+ \S+ \S+ \[[^\]]*\] "(\S+) (\S+) [^"]*" (\d+) (\d+|-) "[^"]*" "([^"]*)"/;

/** Reads lines in the combined log format; others are left out. */
export function parseAccessLog(lines: readonly string[]): AccessEntry[] {
  return lines.flatMap((line) => {
    const match = combinedFormat.exec(line);
    return match ? [toEntry(match)] : [];
  });
}

/** How often a blob was read: all blobs, or the one with this digest. */
export function countBlobGets(entries: readonly AccessEntry[], digest?: string): number {
  return entries.filter((entry) => isBlobGet(entry) && (!digest || entry.path.endsWith(`/${digest}`))).length;
}

function isBlobGet({ method, path, status }: AccessEntry): boolean {
  return method === 'GET' && /\/blobs\/[^/]+:[^/]+$/.test(path) && (status === 200 || status === 206);
}

function toEntry(match: RegExpExecArray): AccessEntry {
  const [, method = '', path = '', status, bytes, userAgent = ''] = match;
  return {
    method,
    path,
    status: Number(status),
    bytes: Number(bytes) || 0,
    partial: status === '206',
    userAgent,
  };
}
