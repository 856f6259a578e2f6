import { cac } from 'cac';
import { benchmarks } from './benchmarks.js';
import { UsageError } from './support/options.js';
const cli = cac('npm run bench --');
cli.usage('NAME [options]');
for (const benchmark of benchmarks) {
    const command = cli.command(benchmark.name, benchmark.summary);
    for (const [option, meaning] of benchmark.options)
        command.option(option, meaning);
    command.option('--quick', 'a small run that only tests the harness; results go to bench/results/tmp');
    command.option('--out <directory>', 'where NAME.json and NAME.svg go (default: bench/results)');
    command.action(async (options) => {
        const { run } = await benchmark.load();
        process.exitCode = await run(options);
    });
}
cli.help();
try {
    const { args, options } = cli.parse(process.argv, { run: false });
    if (cli.matchedCommand !== undefined)
        await cli.runMatchedCommand();
    else if (args[0] !== undefined)
        throw unknown(args[0]);
    else if (!options.help)
        cli.outputHelp();
}
catch (error) {
    if (!(error instanceof UsageError) && !(error instanceof Error && error.name === 'CACError'))
        throw error;
    console.error(`bench: ${error.message}`);
    process.exitCode = 2;
}
function unknown(name) {
    const names = benchmarks.map(benchmark => benchmark.name).join(', ');
    return new UsageError(`there is no benchmark '${name}'; there are ${names} (see --help)`);
}
//# sourceMappingURL=run.js.map