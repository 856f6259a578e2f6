/** What `salvage` tells of its work. */

/** What salvage does, in this order: looks at each block, takes the records, checks the new database. */
export type SalvagePhase = 'read' | 'rescue' | 'verify'

/** A damaged block, and what the index or a value used it for, as far as that could be told. */
export interface SalvageBlock {
  /** Its number. */
  block: number
  /** What it was used for. */
  use:
    | 'index'
    | 'directory'
    | 'bucket'
    | 'overflow'
    | 'large value'
    /** Nodes of the trees over keys and over times: nothing is lost with them, since the records lie in the buckets. */
    | 'ordered index'
    | 'times of expiry'
    /** It says what a sub-database is: its name, and where its records lie. */
    | 'sub-database'
    /** Of what was cleared or dropped: nothing is lost with it. */
    | 'cleared'
    | 'free'
    | 'unknown'
  /** What is wrong with it. */
  reason: string
}

/** A part of the key space that an unknown number of records may be missing from. */
export interface SalvageGap {
  /** Number of the damaged block that hides it. */
  block: number
  /** What is wrong with that block. */
  reason: string
  /** The index block: of the root 1 to 101. */
  indexBlock: number
  /** The first hash position. */
  from: number
  /** The last hash position, included. */
  to: number
  /** Of a sub-database: its name, behind the names of those that it lies in. */
  space?: string[]
}

/** A key in words: as text if its bytes are UTF-8, else in base64. */
export interface SalvageKey {
  /** Its text, or base64. */
  key: string
  /** There if `key` is base64, since its bytes are no text. */
  base64?: true
  /** Number of the block. */
  block: number
  /** What happened to the record. */
  reason: string
  /** Of a sub-database: its name, behind the names of those that it lies in. */
  space?: string[]
}

/** What was rescued of a sub-database. */
export interface SalvageSpace {
  /** Its name, behind the names of those that it lies in. */
  path: string[]
  /** Records that were rescued. */
  records: number
  /** Bytes of their keys and values, as stored. */
  bytes: number
  /** Of the records, those whose time has passed. */
  expired: number
  /** Parts of it that records may be missing from. */
  gaps: number
  /** Keys whose large values could not be read whole. */
  lostKeys: number
}

/** All of a sort are counted; the first 100 are kept. */
export interface SalvageList<T> {
  /** How many there are. */
  count: number
  /** The first of them, at most 100. */
  first: T[]
}

/** What `salvage` has rescued, and exactly what it could not read. */
export interface SalvageReport {
  /** Nothing was lost, and nothing is in doubt. */
  complete: boolean
  /** Records in the root of the new database. */
  records: number
  /** Bytes of their keys and values, as stored: compressed or not. */
  bytes: number
  /** The sub-databases, outer ones before those that lie in them. */
  spaces: SalvageSpace[]
  /**
   * Sound blocks with records of sub-databases whose names are lost, and their records: left out, since nobody can tell
   * whose they are.
   */
  unknownSpaces: { blocks: number; records: number }
  /** Of the records, those whose time has passed: a database removes them when it is opened. */
  expired: number
  /** The new database keeps the ordered index, as the damaged one did, or if there is no telling. */
  ordered: boolean
  /** Records of the root that there were, as block 0 and the log say; undefined if they do not tell. */
  expectedRecords: number | undefined
  /** Bytes of a block of the damaged database. */
  blockSize: number
  /** Blocks of the damaged database but block 0. `rebuilt`: damaged, but whole in the log. */
  blocks: { total: number; sound: number; damaged: number; rebuilt: number }
  /** The damaged ones among them, with what each was used for. */
  damagedBlocks: SalvageList<SalvageBlock>
  /** Block 0: who the database is, and what the last checkpoint knew (in two copies). */
  block0: {
    identity: 'sound' | 'rebuilt'
    state: 'sound' | 'one copy damaged' | 'lost'
    problem: string | undefined
  }
  /** What the log gave. */
  log: {
    /**
     * `'damaged'`: changes behind `end` are lost. `'missing'`: no part of it could be used. `'unknown'`: no telling.
     */
    state: 'sound' | 'damaged' | 'missing' | 'unknown'
    /** The part that was used, in LSNs. */
    from: number
    end: number
    segments: number
  }
  /** Transactions without a commit whose changes were taken back. */
  unfinishedTransactions: number
  /** What may be missing, with the damage that hides it. */
  gaps: SalvageList<SalvageGap>
  /** Keys whose large values could not be read whole. */
  lostKeys: SalvageList<SalvageKey>
  /** Keys found in two places, with the block of the record that was left out. */
  duplicates: SalvageList<SalvageKey>
  /** Keys found where the index says that they are not; left out. */
  misplaced: SalvageList<SalvageKey>
  /** Blocks newer than the readable log, and their records, which were taken: they may never have been committed. */
  newerBlocks: SalvageList<{ block: number; records: number }>
  /** Whatever else is worth knowing, one sentence each. */
  warnings: string[]
  /** How long it took. */
  milliseconds: number
}
