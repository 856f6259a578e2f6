import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'xenondb';
const directory = mkdtempSync(join(tmpdir(), 'xenondb-quickstart-'));
const db = open(join(directory, 'students'), { valueEncoding: 'json' });
db.put('ada', { name: 'Ada Lovelace', born: 1815 });
console.log(db.get('ada'));
console.log(db.get('nobody'));
db.transaction(tx => {
    tx.put('alan', { name: 'Alan Turing', born: 1912 });
    tx.delete('ada');
});
for (db.reset(); db.next();) {
    const { key, value } = db.readCurrent();
    console.log(key, value);
}
db.close();
rmSync(directory, { recursive: true });
//# sourceMappingURL=quickstart.js.map