/** The worker of the contract: a database whose name says so has the indexes of `contract/indexes.mjs`. */
import { serveBrowser } from '../../src/browser/serve.ts'
import { declareIndexes } from '../contract/indexes.mjs'

serveBrowser({
  onOpen: db => {
    const [, where] = /, indexes in (\w+)$/.exec(db.directory) ?? []
    if (where !== undefined) declareIndexes(db, where)
  },
})
