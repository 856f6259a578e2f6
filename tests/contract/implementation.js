import { expect } from 'vitest';
export const remainsOf = async (db) => {
    const { problems } = await db.verify();
    const { transactions, snapshots } = db.stats();
    return { problems, transactions: transactions.open, snapshots: snapshots.open };
};
export const withStore = async (implementation, options, body) => {
    const { store, finish } = await implementation.open(options);
    let failure;
    try {
        await body(store);
    }
    catch (error) {
        failure = error;
    }
    const remains = await finish();
    if (failure !== undefined)
        throw failure;
    expect(remains).toEqual({ problems: [], transactions: 0, snapshots: 0 });
};
//# sourceMappingURL=implementation.js.map