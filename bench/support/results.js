import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { renderCharts } from './chart/render.js';
import { describeMachine, machineLine } from './machine.js';
export function writeResults(directory, results) {
    const { benchmark, options, data, charts } = results;
    const machine = describeMachine();
    mkdirSync(directory, { recursive: true });
    const json = join(directory, `${benchmark}.json`);
    const svg = join(directory, `${benchmark}.svg`);
    const document = { benchmark, date: new Date().toISOString(), machine, options, data };
    writeFileSync(json, `${JSON.stringify(document, null, 2)}\n`);
    writeFileSync(svg, renderCharts(charts, machineLine(machine)));
    console.log(`\nwritten: ${relative(process.cwd(), json)}, ${relative(process.cwd(), svg)}`);
}
//# sourceMappingURL=results.js.map