export const STORES = ['xenondb', 'xenondb-hash', 'lmdb', 'sqlite', 'node-sqlite', 'level', 'level-array'];
export const ORDERED_STORES = ['xenondb', 'lmdb', 'sqlite', 'node-sqlite', 'level'];
//# sourceMappingURL=job.js.map