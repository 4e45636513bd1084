/** Rows in columns, the first row as the heading; numbers stand right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const format = (row: readonly string[]) =>
    row.map((cell, column) => pad(cell, widths[column] ?? 0, column > 0)).join('  ');
  return `${rows.map((row) => format(row).trimEnd()).join('\n')}\n`;
}

function pad(text: string, width: number, right: boolean): string {
  return right ? text.padStart(width) : text.padEnd(width);
}
