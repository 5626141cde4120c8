// The SDK as a client, and the person at psql.

import { configure, psql, sql, Worker, within } from "./harness.mjs";

// A client of the SDK that starts workflows by remote calls: a process, too, whose
// group has no other workers and gets no work.
class Client {
	constructor(worker) {
		this.worker = worker;
	}

	begin(target, id, func, args = [], options = {}) {
		return within(id, this.worker.ask("begin", { id, func, args, target, ...options }));
	}

	resultOf(id) {
		return within(id, this.worker.ask("result", { id }));
	}

	async call(target, id, func, args, options) {
		await this.begin(target, id, func, args, options);
		return this.resultOf(id);
	}

	// Has an offer of that task arrive.
	offer(id, version) {
		return within(id, this.worker.ask("offer", { id, version }));
	}

	schedule(target, id, cron, func, args) {
		return within(id, this.worker.ask("schedule", { id, cron, func, args, target }));
	}

	cronOf(id) {
		return within(id, this.worker.ask("scheduled", { id }));
	}

	unschedule(id) {
		return within(id, this.worker.ask("unschedule", { id }));
	}
}

let clients = 0;

// Gives the body a client.
export async function withClient(engine, body) {
	const name = `${engine}-client-${clients++}`;
	const worker = new Worker(configure({ engine, group: name, name }));

	try {
		await worker.start();
		return await body(new Client(worker));
	} finally {
		await worker.stop();
	}
}

// What the person does: settles a promise by the typed functions.
export async function decide(id, value) {
	return psql("sdk_client", `SELECT status FROM resonate.resolve('${id}', '${value}')`);
}

export async function stateOf(id) {
	return (await sql("SELECT state::text FROM resonate.get_promise($1)", id))[0].state;
}
