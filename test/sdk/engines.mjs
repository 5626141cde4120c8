// What runs the functions: the two engines of the TypeScript SDK, the Python SDK
// and the Rust SDK, as programs that all take the same configuration and the same
// commands.  worker.mjs says which.

const node = [process.execPath, ...process.execArgv, "worker.mjs"];

export const engines = {
	generator: { command: node },
	async: { command: node },
	python: { command: [process.env.RSN_SDK_PYTHON, "worker.py"] },
	rust: {
		command: [process.env.RSN_SDK_RUST],
		lacks: ["retries", "stale offers", "patience"],
	},
};

// What an engine cannot show, because its SDK has no such thing, or keeps it to
// itself.
export const lacks = (engine, what) => engines[engine].lacks?.includes(what);

// Those that are installed, by what prepare.sh has found.
export const installed = Object.keys(engines).filter(
	(engine) => engines[engine].command[0],
);
