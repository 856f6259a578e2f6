export function sameValue(a, b) {
    if (a instanceof Uint8Array && b instanceof Uint8Array)
        return Buffer.compare(a, b) === 0;
    return a === b;
}
export function scan(db) {
    const records = new Map();
    const cursor = db.cursor();
    cursor.reset();
    while (cursor.next()) {
        const { key, value } = cursor.readCurrent();
        if (records.has(key))
            throw new Error(`the cursor gave ${show(key)} twice`);
        records.set(key, value);
    }
    cursor.close();
    return records;
}
export function expectEqual(db, expected) {
    const count = db.stats().records;
    if (count !== expected.size)
        throw new Error(`stats count ${count} records, expected ${expected.size}`);
    for (const [key, value] of expected) {
        if (!db.has(key))
            throw new Error(`has(${show(key)}) is false`);
        const found = db.get(key);
        if (!sameValue(found, value)) {
            throw new Error(`get(${show(key)}) gave ${show(found)}, expected ${show(value)}`);
        }
    }
    const difference = firstDifference(scan(db), expected);
    if (difference !== undefined)
        throw new Error(`scan: ${difference}`);
}
export function firstDifference(found, expected) {
    for (const [key, value] of expected) {
        if (!found.has(key))
            return `${show(key)} is missing`;
        if (!sameValue(found.get(key), value)) {
            return `${show(key)} is ${show(found.get(key))}, expected ${show(value)}`;
        }
    }
    for (const key of found.keys())
        if (!expected.has(key))
            return `${show(key)} should not be there`;
    return undefined;
}
export function show(value) {
    if (value instanceof Uint8Array) {
        return `${value.length} bytes ${Buffer.from(value.subarray(0, 16)).toString('hex')}…`;
    }
    const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
    return text.length > 60 ? `${text.slice(0, 50)}… (${text.length} characters)` : text;
}
//# sourceMappingURL=model.js.map