export function check(history, last) {
    const found = new Map();
    const note = (phenomenon, example) => {
        if (!found.has(phenomenon))
            found.set(phenomenon, example);
    };
    const writers = new Map();
    const appended = new Map();
    for (const record of history)
        for (const step of record.steps)
            if (step.kind === 'append') {
                writers.set(step.number, record);
                const key = `${record.id} ${step.list}`;
                appended.set(key, [...(appended.get(key) ?? []), step.number]);
            }
    const orders = new Map(last);
    for (const record of history) {
        if (!record.committed)
            continue;
        for (const step of record.steps)
            if (step.kind === 'append' && !(orders.get(step.list) ?? []).includes(step.number))
                note('lost append', `${step.number} of transaction ${record.id} is not in ${step.list}`);
    }
    const places = new Map();
    for (const order of orders.values())
        for (const [place, number] of order.entries())
            places.set(number, place);
    const edges = new Map();
    const edge = (from, to, kind) => {
        if (from === undefined || to === undefined || from === to || !from.committed || !to.committed)
            return;
        const targets = edges.get(from.id) ?? new Map();
        edges.set(from.id, targets);
        const kinds = targets.get(to.id);
        if (kinds === undefined)
            targets.set(to.id, new Set([kind]));
        else
            kinds.add(kind);
    };
    for (const [, order] of orders)
        for (let i = 1; i < order.length; i++)
            edge(writers.get(order[i - 1]), writers.get(order[i]), 'ww');
    for (const record of history) {
        if (!record.committed)
            continue;
        const own = new Set();
        for (const step of record.steps) {
            if (step.kind === 'append') {
                own.add(step.number);
                continue;
            }
            const foreign = step.value.filter(number => !own.has(number));
            for (const number of foreign)
                if (writers.get(number)?.committed !== true)
                    note('G1a', `transaction ${record.id} read ${number} of a transaction that rolled back`);
            const newest = foreign[foreign.length - 1];
            const writer = newest === undefined ? undefined : writers.get(newest);
            if (writer !== undefined) {
                const all = appended.get(`${writer.id} ${step.list}`);
                if (writer.committed && all[all.length - 1] !== newest)
                    note('G1b', `transaction ${record.id} read ${newest}, which transaction ${writer.id} went on from`);
                edge(writer, record, 'wr');
            }
            const order = orders.get(step.list) ?? [];
            const committed = foreign.filter(number => writers.get(number)?.committed === true);
            if (committed.some((number, place) => order[place] !== number))
                note('forked list', `transaction ${record.id} read ${step.list} as ${foreign}, which became ${order}`);
            const place = newest === undefined ? -1 : (places.get(newest) ?? -1);
            if (newest !== undefined && place < 0)
                continue;
            const next = order[place + 1];
            if (next !== undefined)
                edge(record, writers.get(next), 'rw');
        }
    }
    for (const component of components(edges)) {
        if (component.size < 2)
            continue;
        const within = (kinds) => {
            return from => [...(edges.get(from) ?? [])]
                .filter(([to, found]) => component.has(to) && kinds.some(kind => found.has(kind)))
                .map(([to]) => to);
        };
        const cycle = (kinds) => findCycle(component, within(kinds));
        const g0 = cycle(['ww']);
        if (g0 !== undefined)
            note('G0', g0);
        const g1 = cycle(['ww', 'wr']);
        if (g1 !== undefined)
            note('G1c', g1);
        const forward = within(['ww', 'wr']);
        let single = false;
        for (const from of component)
            for (const to of within(['rw'])(from))
                if (!single && reaches(to, from, forward)) {
                    single = true;
                    note('G-single', `${from} -rw-> ${to} … -> ${from}`);
                }
        if (g1 === undefined && !single)
            note('G2', cycle(['ww', 'wr', 'rw']) ?? 'a cycle');
    }
    return found;
}
function components(edges) {
    const index = new Map();
    const low = new Map();
    const onStack = new Set();
    const stack = [];
    const result = [];
    for (const root of edges.keys()) {
        if (index.has(root))
            continue;
        const enter = (node) => {
            index.set(node, index.size);
            low.set(node, index.get(node));
            stack.push(node);
            onStack.add(node);
            return { node, ways: [...(edges.get(node)?.keys() ?? [])] };
        };
        const path = [enter(root)];
        while (path.length > 0) {
            const { node, ways } = path[path.length - 1];
            const next = ways.pop();
            if (next !== undefined) {
                if (!index.has(next))
                    path.push(enter(next));
                else if (onStack.has(next))
                    low.set(node, Math.min(low.get(node), index.get(next)));
                continue;
            }
            path.pop();
            const parent = path[path.length - 1];
            if (parent !== undefined)
                low.set(parent.node, Math.min(low.get(parent.node), low.get(node)));
            if (low.get(node) !== index.get(node))
                continue;
            const component = new Set();
            for (let member = -1; member !== node;) {
                member = stack.pop();
                onStack.delete(member);
                component.add(member);
            }
            result.push(component);
        }
    }
    return result;
}
function reaches(from, to, next) {
    const seen = new Set([from]);
    const open = [from];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
        if (node === to)
            return true;
        for (const way of next(node))
            if (!seen.has(way)) {
                seen.add(way);
                open.push(way);
            }
    }
    return false;
}
function findCycle(nodes, next) {
    for (const node of nodes)
        for (const way of next(node))
            if (reaches(way, node, next))
                return `${node} -> ${way} … -> ${node}`;
    return undefined;
}
//# sourceMappingURL=checker.js.map