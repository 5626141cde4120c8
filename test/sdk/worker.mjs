// A worker process: node worker.mjs CONFIGURATION, which is a JSON object with
// the members that connect() takes, and
//
//	name		how this process is called in the journal
//	journal		the file of the journal
//	gates		the directory of the gates
//
// Tells its parent what the SDK logs, runs what the parent asks it to run, and
// ends with the parent.

import { appendFileSync } from "node:fs";

import { connect, engines } from "./engines.mjs";

const config = JSON.parse(process.argv[2]);
const engine = engines[config.engine];

function tell(message) {
	if (process.connected) {
		process.send(message);
	}
}

// The SDK connects its network once.  A process that finds no server then, or
// loses it later, would not work for long or not at all, and its heartbeats would
// keep leases of work that it has given up; one that ends is started again.
const fatal = ["Failed to start network", "postgres listen error"];

const log = (level) => (fields, message) => {
	tell({ level, message, detail: fields.error });
	if (fatal.includes(message)) {
		process.exit(1);
	}
};

const resonate = await connect({
	...config,
	logger: { debug() {}, info: log("info"), warn: log("warn"), error: log("error") },
});

// One write for each line, so that lines of several processes do not mix.
resonate.setDependency("journal", (what) =>
	appendFileSync(config.journal, `${JSON.stringify({ worker: config.name, what })}\n`),
);
resonate.setDependency("group", config.group);
resonate.setDependency("gates", config.gates);
for (const [name, func] of Object.entries(engine.functions)) {
	resonate.register(name, func);
}

process.on("disconnect", () => process.exit());
process.on("message", async ({ call, id, func, args }) => {
	try {
		tell({ call, result: await engine.run(resonate, id, func, args) });
	} catch (error) {
		tell({ call, failure: String(error) });
	}
});
