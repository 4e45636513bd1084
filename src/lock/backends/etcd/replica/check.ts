/** FNV-1a over the 32-bit halves of whole numbers. */
export function fold(check: number, fact: number): number {
  return foldHalf(foldHalf(check, fact), fact / 2 ** 32);
}

export function foldText(check: number, text: string): number {
  let folded = check;
  for (let index = 0; index < text.length; index += 1) folded = foldHalf(folded, text.charCodeAt(index));
  return folded;
}

function foldHalf(check: number, fact: number): number {
  return Math.imul(check ^ fact, 0x01000193) >>> 0;
}
