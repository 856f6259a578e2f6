export function stepsFor(steps, wanted) {
    const chosen = new Set(wanted);
    const needsMain = steps.some(step => step.database === 'main' && chosen.has(step.name));
    return steps.filter(step => chosen.has(step.name) || (needsMain && step.database === 'made'));
}
export function only(store, step) {
    return { ...step, stores: [store] };
}
//# sourceMappingURL=plan.js.map