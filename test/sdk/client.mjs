// The SDK as a client, and the person at psql.

import { connect, engines } from "./engines.mjs";
import {
	complain,
	connectionString,
	psql,
	sql,
	waitForDisconnection,
	within,
} from "./harness.mjs";

// A client of the SDK that starts workflows by remote calls.
class Client {
	constructor(engine, resonate) {
		this.engine = engine;
		this.resonate = resonate;
	}

	begin(group, id, func, args = [], options = {}) {
		return engines[this.engine].begin(this.resonate, id, func, args, {
			target: group,
			...options,
		});
	}

	async call(group, id, func, args, options) {
		const handle = await within(id, this.begin(group, id, func, args, options));
		return within(id, handle.result());
	}

	async resultOf(id) {
		return within(id, (await this.resonate.get(id)).result());
	}
}

let clients = 0;

// Gives the body a client.  None may be connected when the server stops, for the
// SDK does not catch the loss of an idle connection, and ends the process.
export async function withClient({ engine, role }, body) {
	const group = `${engine}-client-${clients++}`;
	const resonate = await connect({
		engine,
		group,
		connectionString: connectionString(role ?? "sdk_worker", group),
		logger: {
			debug() {},
			info() {},
			warn: (fields, message) => complain("warn", message, fields.error),
			error: (fields, message) => complain("error", message, fields.error),
		},
	});

	try {
		return await body(new Client(engine, resonate));
	} finally {
		await resonate.stop();
		// The SDK does not wait for it.
		await waitForDisconnection(group);
	}
}

// What the person does: settles a promise by the typed functions.
export async function decide(id, value) {
	return psql("sdk_client", `SELECT status FROM resonate.resolve('${id}', '${value}')`);
}

export async function stateOf(id) {
	return (await sql("SELECT state::text FROM resonate.get_promise($1)", id))[0].state;
}
