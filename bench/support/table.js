import Table from 'cli-table3';
export function printTable(head, rows) {
    const table = new Table({
        head: [...head],
        colAligns: head.map((_, column) => (column === 0 ? 'left' : 'right')),
        style: { head: [], border: [], compact: true },
    });
    for (const row of rows)
        table.push([...row]);
    console.log(table.toString());
}
//# sourceMappingURL=table.js.map