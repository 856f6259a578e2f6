/** COMMAND. */

import type { Session } from '../connection/session.ts'
import { type Arguments, textAt } from '../protocol/request.ts'

import { FACTS, type Fact } from './facts.ts'
import { runSubcommand, type Subcommands } from './subcommands.ts'
import type { Handlers } from './types.ts'

const byName: ReadonlyMap<string, Fact> = new Map(FACTS.map(fact => [fact[0], fact]))

const words = (text: string): string[] => text.split(' ').filter(word => word !== '')

const describe = ({ out }: Session, fact: Fact): void => {
  const [name, arity, flags, first, last, step, categories] = fact
  out.array(10)
  out.text(name)
  out.integer(arity)
  const flagList = words(flags)
  out.set(flagList.length)
  for (const flag of flagList) out.simple(flag)
  out.integer(first)
  out.integer(last)
  out.integer(step)
  const categoryList = words(categories)
  out.set(categoryList.length)
  for (const category of categoryList) out.simple(category)
  // Tips, key specifications, subcommands.
  for (let i = 0; i < 3; i++) out.array(0)
}

const all = (session: Session): void => {
  session.out.array(FACTS.length)
  for (const fact of FACTS) describe(session, fact)
}

const asked = (request: Arguments): (Fact | undefined)[] => {
  const facts: (Fact | undefined)[] = []
  for (let i = 2; i < request.count; i++) facts.push(byName.get(textAt(request, i).toLowerCase()))
  return facts
}

const docs = (session: Session, request: Arguments): void => {
  const { out } = session
  const facts = request.count === 2 ? FACTS : asked(request).filter(fact => fact !== undefined)
  out.map(facts.length)
  for (const [name, , , , , , , group, since, complexity, summary] of facts) {
    out.text(name)
    const entries = { summary, since, group, complexity }
    out.map(Object.keys(entries).length)
    for (const [key, value] of Object.entries(entries)) {
      out.text(key)
      out.text(value)
    }
  }
}

export const COMMAND_SUBCOMMANDS: Subcommands = {
  count: [2, ({ out }) => out.integer(FACTS.length)],
  info: [
    -2,
    (session, request) => {
      if (request.count === 2) {
        all(session)
        return
      }
      const facts = asked(request)
      session.out.array(facts.length)
      for (const fact of facts) {
        if (fact === undefined) session.out.null()
        else describe(session, fact)
      }
    },
  ],
  docs: [-2, docs],
  list: [
    2,
    ({ out }) => {
      out.array(FACTS.length)
      for (const [name] of FACTS) out.text(name)
    },
  ],
}

export const commandInfo: Handlers = {
  command: (session, request) => {
    if (request.count === 1) all(session)
    else runSubcommand('command', COMMAND_SUBCOMMANDS, session, request)
  },
}
