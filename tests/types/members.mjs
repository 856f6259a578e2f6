// The public members of the package, read from its .d.ts by the API of the oldest TypeScript that reads them.
import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import ts from '@tsd/typescript'

const root = new URL('../..', import.meta.url).pathname

/** Every entry of package.json and its .d.ts. */
const entries = () => {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return Object.values(exports)
    .map(entry => entry.types ?? entry.import?.types ?? entry.default?.types)
    .filter(types => types !== undefined)
    .map(types => join(root, types))
}

/** The docstring of some declarations of the same thing. */
const documentation = declarations => {
  const tags = declarations.flatMap(each => ts.getJSDocTags(each))
  const docs = declarations.flatMap(each => ts.getJSDocCommentsAndTags(each).filter(ts.isJSDoc))
  const texts = docs.map(doc => ts.getTextOfJSDocComment(doc.comment) ?? '')
  const examples = tags.filter(tag => tag.tagName.text === 'example')
  return {
    isInternal: tags.some(tag => tag.tagName.text === 'internal'),
    text: texts.join('\n').trim(),
    examples: examples.map(tag => ts.getTextOfJSDocComment(tag.comment) ?? ''),
  }
}

const isHidden = node =>
  (ts.getCombinedModifierFlags(node) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) !== 0 ||
  (node.name !== undefined && ts.isPrivateIdentifier(node.name))

const isCallable = node => ts.isMethodDeclaration(node) || ts.isMethodSignature(node)

/**
 * { name, owner, file, kind: 'callable' | 'field' | 'type', text, examples } of each: what its docstring says, or that of
 * the interface that its class implements, and what stands behind each @example there. Left out is what is private or
 * @internal; what has a symbol for its name, as iterators and `using` call it; constructors, and what begins with `_`.
 */
export const publicMembers = () => {
  const program = ts.createProgram(entries(), {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts', 'lib.esnext.disposable.d.ts'],
    skipLibCheck: true,
    noEmit: true,
    types: ['node'],
  })
  const checker = program.getTypeChecker()
  const found = new Map()
  const isOurs = node => node.getSourceFile().fileName.startsWith(join(root, 'dist'))
  const note = (name, declarations, kind, owner, inherited) => {
    const [node] = declarations
    if (node === undefined || !isOurs(node) || found.has(node)) return
    const own = documentation(declarations)
    if (own.isInternal) return
    const file = relative(root, node.getSourceFile().fileName)
    const text = own.text === '' ? (inherited?.text ?? '') : own.text
    const examples = own.examples.length === 0 ? (inherited?.examples ?? []) : own.examples
    found.set(node, { name, owner, file, kind, text, examples })
  }
  /** What the interfaces of a class say of a member, and those of what it extends. */
  const inheritedOf = (node, name) => {
    const all = { text: '', examples: [] }
    const add = said => {
      if (all.text === '') all.text = said.text
      if (all.examples.length === 0) all.examples = said.examples
    }
    for (const clause of node.heritageClauses ?? [])
      for (const each of clause.types) {
        const type = checker.getTypeAtLocation(each)
        add(documentation(type.getProperty(name)?.declarations ?? []))
        for (const base of type.getSymbol()?.declarations ?? []) if (base !== node) add(inheritedOf(base, name))
      }
    return all
  }
  const members = (node, owner) => {
    const symbol = checker.getSymbolAtLocation(node.name)
    const isClass = ts.isClassDeclaration(node)
    const statics = isClass ? checker.getPropertiesOfType(checker.getTypeOfSymbol(symbol)) : []
    for (const member of [...checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol)), ...statics]) {
      const declarations = (member.declarations ?? []).filter(each => !isHidden(each))
      const { name } = member
      if (declarations.length === 0 || name === 'prototype' || name.startsWith('_')) continue
      const kind = declarations.some(isCallable) ? 'callable' : 'field'
      const [from, to] = [inheritedOf(declarations[0].parent, name), inheritedOf(node, name)]
      const inherited = {
        text: from.text || to.text,
        examples: from.examples.length > 0 ? from.examples : to.examples,
      }
      note(name, declarations, kind, owner, inherited)
    }
  }
  for (const entry of entries()) {
    const source = program.getSourceFile(entry)
    for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(source))) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
      const declarations = symbol.declarations ?? []
      const { name } = exported
      for (const node of declarations) {
        const hasMembers = ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node)
        if (hasMembers || ts.isTypeAliasDeclaration(node)) note(name, [node], 'type')
        if (hasMembers) members(node, name)
      }
      note(name, declarations.filter(ts.isFunctionDeclaration), 'callable')
      for (const node of declarations.filter(ts.isVariableDeclaration)) {
        const isFunction = checker.getTypeOfSymbolAtLocation(symbol, node).getCallSignatures().length > 0
        note(name, [node.parent.parent], isFunction ? 'callable' : 'field')
      }
    }
  }
  return [...found.values()]
}
