import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

export interface Import {
  /** Path of the importing file below `src`. */
  readonly from: string;
  /** Path of the imported file below `src`, or the name of a package. */
  readonly to: string;
  /** Erased when the program is built. */
  readonly typeOnly: boolean;
}

const root = path.resolve(import.meta.dirname, '../../src');

/** Every source file, as a path below `src` with forward slashes. */
export function sourceFiles(): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.split(path.sep).join('/'))
    .sort();
}

export function lineCount(file: string): number {
  return readFileSync(path.join(root, file), 'utf8').split('\n').length - 1;
}

/** Static and dynamic imports and re-exports of one source file. */
export function importsOf(file: string): Import[] {
  const text = readFileSync(path.join(root, file), 'utf8');
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: Import[] = [];
  const visit = (node: ts.Node) => {
    const target = importTarget(node);
    if (target) found.push({ from: file, to: resolve(file, target.text), typeOnly: target.typeOnly });
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

function importTarget(node: ts.Node): { text: string; typeOnly: boolean } | undefined {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
    return { text: node.moduleSpecifier.text, typeOnly: isTypeOnly(node.importClause) };
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
    return { text: node.moduleSpecifier.text, typeOnly: node.isTypeOnly };
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    const [target] = node.arguments;
    if (target && ts.isStringLiteral(target)) return { text: target.text, typeOnly: false };
  }
  return undefined;
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const names = clause.namedBindings;
  if (clause.name || !names || !ts.isNamedImports(names)) return false;
  return names.elements.length > 0 && names.elements.every((element) => element.isTypeOnly);
}

function resolve(file: string, target: string): string {
  if (!target.startsWith('.')) return target;
  return path.posix.normalize(path.posix.join(path.posix.dirname(file), target));
}
