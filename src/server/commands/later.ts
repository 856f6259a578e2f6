/** Commands that take time: other clients go on meanwhile, and so does the caller once it has its answer. */
import type { ReplyWriter } from '../protocol/reply.ts'
import type { Caller } from './caller.ts'
import { replyFor } from './errors.ts'

/** Answers with what the work gives, or with its failure. */
export const answerLater = (caller: Caller, work: () => Promise<(out: ReplyWriter) => void>): void =>
  caller.later(async () => {
    try {
      caller.answer(await work())
    } catch (error) {
      caller.answer(out => out.error(replyFor(error)))
    }
  })
