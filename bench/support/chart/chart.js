export {};
//# sourceMappingURL=chart.js.map