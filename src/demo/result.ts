import type { PullDocument } from './processes.ts';

/** One layer (or the config, which comes first) on all nodes. */
export interface DemoLayer {
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly mediaType: string;
  /** By node: what became of the layer there. */
  readonly outcomes: Readonly<Record<string, PullDocument['layers'][number]['outcome']>>;
}

/** The document of `demo --json`. */
export interface DemoResult {
  readonly reference: string;
  readonly digest: string;
  readonly registry: DemoRegistryResult;
  readonly nodes: readonly string[];
  readonly layers: readonly DemoLayer[];
  /** Bytes of one whole pull. */
  readonly imageBytes: number;
  /** What the registry sent to all nodes together. */
  readonly bytesFromRegistry: number;
  /** What it would have sent if each node had pulled for itself. */
  readonly bytesOfSeparatePulls: number;
  readonly durationMs: number;
}

export interface DemoRegistryResult {
  /** Whether the demo served the image itself. */
  readonly embedded: boolean;
  /** The limit of the embedded registry, else null. */
  readonly bytesPerSecond: number | null;
  /** How often each blob of the embedded registry was read, by digest; null for another registry. */
  readonly reads: Readonly<Record<string, number>> | null;
}

export interface NodeDocument {
  readonly node: string;
  readonly document: PullDocument;
}

/** What is known of the bytes where the demo serves the image itself; manifests are counted there too. */
export interface CountedBytes {
  readonly bytesSent: number;
  readonly imageBytes: number;
}

/** Puts the documents of all nodes, which pulled the same image, into one. */
export function summarise(
  results: readonly NodeDocument[],
  counted: CountedBytes | undefined,
): Omit<DemoResult, 'registry' | 'durationMs'> {
  const [first] = results;
  if (!first) throw new RangeError('a demo has nodes');
  const { reference, digest, layers } = first.document;
  const imageBytes = counted?.imageBytes ?? layers.reduce((sum, layer) => sum + layer.size, 0);
  const fromResults = results.reduce((sum, result) => sum + result.document.bytesFromRegistry, 0);
  return {
    reference,
    digest,
    nodes: results.map((result) => result.node),
    layers: layers.map(({ digest, size, mediaType }) => ({
      digest,
      size,
      mediaType,
      outcomes: outcomesOf(digest, results),
    })),
    imageBytes,
    bytesFromRegistry: counted?.bytesSent ?? fromResults,
    bytesOfSeparatePulls: results.length * imageBytes,
  };
}

function outcomesOf(digest: string, results: readonly NodeDocument[]): DemoLayer['outcomes'] {
  const outcomes: Record<string, DemoLayer['outcomes'][string]> = {};
  for (const { node, document } of results) {
    const layer = document.layers.find((candidate) => candidate.digest === digest);
    if (layer) outcomes[node] = layer.outcome;
  }
  return outcomes;
}
