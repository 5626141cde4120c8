// A worker process: node worker.mjs CONFIGURATION, which is a JSON object with
//
//	engine		"generator" or "async"
//	group		whose work it takes, and where its remote calls go
//	connectionString
//	ttl			of its leases, in milliseconds, unless the SDK's default
//	name		how this process is called in the journal
//	journal		the file of the journal
//	gates		the directory of the gates
//
// worker.py and rust/src/main.rs are the same for the other SDKs.  A command is a
// line of JSON: the number of the call, what to do, and its arguments.  Written
// are lines of JSON, too: how a call ended, and what the SDK logs.  The process
// ends with its input.

import { appendFileSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";

import { PostgresNetwork } from "@resonatehq/sdk/postgres";

import * as functions from "./functions.mjs";

const config = JSON.parse(process.argv[2]);

// What differs between the two engines.
const engines = {
	generator: {
		sdk: "@resonatehq/sdk",
		functions: functions.generator,
		begin: (id, func, args, options) =>
			resonate.beginRpc(id, func, ...args, resonate.options(options)),
		run: (id, func, args) => resonate.run(id, func, ...args),
	},
	async: {
		sdk: "@resonatehq/sdk/async",
		functions: functions.async,
		begin: (id, func, args, options) =>
			resonate.rpc(id, func, ...args, resonate.options(options)),
		run: async (id, func, args) => (await resonate.run(id, func, ...args)).result(),
	},
};
const engine = engines[config.engine];

function tell(message) {
	writeSync(1, `${JSON.stringify(message)}\n`);
}

// The SDK connects its network once.  A process that finds no server then, or
// loses it later, would not work for long or not at all, and its heartbeats would
// keep leases of work that it has given up; one that ends is started again.
const fatal = ["Failed to start network", "postgres listen error"];

const complain = (level) => (fields, message) => {
	tell({ level, message, detail: fields.error });
	if (fatal.includes(message)) {
		process.exit(1);
	}
};
const logger = {
	debug() {},
	info() {},
	warn: complain("warn"),
	error: complain("error"),
};

const { connectionString, group, ttl } = config;
const { Resonate } = await import(engine.sdk);
const network = new PostgresNetwork({ connectionString, group, logger });
const resonate = new Resonate({ network, ttl, logger });

// One write for each line, so that lines of several processes do not mix.
resonate.setDependency("journal", (what) =>
	appendFileSync(config.journal, `${JSON.stringify({ worker: config.name, what })}\n`),
);
resonate.setDependency("group", config.group);
resonate.setDependency("gates", config.gates);
for (const [name, func] of Object.entries(engine.functions)) {
	resonate.register(name, func);
}

const handles = new Map();

const commands = {
	run: ({ id, func, args }) => engine.run(id, func, args),
	async begin({ id, func, args, target, timeout }) {
		handles.set(id, await engine.begin(id, func, args, { target, timeout }));
	},
	result: async ({ id }) => (handles.get(id) ?? (await resonate.get(id))).result(),
	offer({ id, version }) {
		network.deliver({ kind: "execute", head: {}, data: { task: { id, version } } });
	},
	async schedule({ id, cron, func, args, target }) {
		await resonate.schedule(id, cron, func, ...args, resonate.options({ target }));
	},
	scheduled: async ({ id }) => (await resonate.schedules.get(id)).cron,
	unschedule: ({ id }) => resonate.schedules.delete(id),
};

const input = createInterface({ input: process.stdin });

input.on("close", () => process.exit());
input.on("line", async (line) => {
	const { call, do: name, ...args } = JSON.parse(line);
	try {
		tell({ call, result: await commands[name](args) });
	} catch (error) {
		tell({ call, failure: error.message });
	}
});
