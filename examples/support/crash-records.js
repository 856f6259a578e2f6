export const PARTS = 5;
export const LAST_KEY = 'crash/last';
export const crashKey = (transaction, part) => `crash/${transaction}/${part}`;
//# sourceMappingURL=crash-records.js.map