import { writeSync } from 'node:fs';
import { argv, exit } from 'node:process';
import { open } from 'xenondb';
import { crashKey, LAST_KEY, PARTS } from './support/crash-records.js';
const directory = argv[2];
if (directory === undefined) {
    console.error('usage: node crash-child.js <directory>');
    exit(2);
}
const db = open(directory, {
    valueEncoding: 'json',
    durability: 'power',
    createIfMissing: false,
});
for (let n = 1;; n++) {
    const tx = db.begin();
    for (let part = 0; part < PARTS; part++)
        tx.put(crashKey(n, part), { transaction: n, part });
    tx.put(LAST_KEY, { transaction: n, part: 0 });
    tx.commit();
    writeSync(1, `${n}\n`);
}
//# sourceMappingURL=crash-child.js.map