// What the tests stand on: TAP, conditions with deadlines, worker processes,
// the journal, and the server.

import { execFile, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual, promisify } from "node:util";

import pg from "pg";

import { engines } from "./engines.mjs";

const directory = process.env.RSN_WORKDIR;
const dataDirectory = join(directory, process.env.RSN_CLUSTER);
export const logFile = `${dataDirectory}.log`;

// How long anything may take that has to happen; longer than it takes on the
// busiest machine.
const PATIENCE_MS = 120_000;

const STALE_OFFER =
	/^warn: (onMessage failed|background task failed: .*409).*the task is not in that state/;

// ---- TAP

let count = 0;
let failed = 0;

export function ok(condition, name, explanation = "") {
	count++;
	if (!condition) {
		failed++;
		for (const line of String(explanation).split("\n")) {
			console.log(`#     ${line}`);
		}
	}
	console.log(`${condition ? "ok" : "not ok"} ${count} - ${name}`);
}

export function is(actual, expected, name) {
	ok(
		isDeepStrictEqual(actual, expected),
		name,
		`expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`,
	);
}

export function show(line) {
	console.log(`# ${line}`);
}

// A part that may fail without taking the others along.
export async function part(name, body) {
	try {
		await body();
	} catch (error) {
		ok(false, name, error.stack ?? error);
	}
}

// Prints the plan and returns the status of the process.
export function finish() {
	console.log(`1..${count}`);
	return failed === 0 ? 0 : 1;
}

// ---- time

export async function waitFor(what, condition) {
	const deadline = Date.now() + PATIENCE_MS;

	for (;;) {
		const value = await condition();
		if (value) {
			return value;
		}
		if (Date.now() > deadline) {
			throw new Error(`waited in vain until ${what}`);
		}
		await delay(25);
	}
}

export async function within(what, promise) {
	const stop = new AbortController();
	const late = delay(PATIENCE_MS, null, { signal: stop.signal }).then(() => {
		throw new Error(`waited in vain for ${what}`);
	});

	late.catch(() => {});
	try {
		return await Promise.race([promise, late]);
	} finally {
		stop.abort();
	}
}

// The message of the error that a promise is rejected with.
export async function failureOf(promise) {
	try {
		return `no failure, but ${JSON.stringify(await promise)}`;
	} catch (error) {
		return error.message;
	}
}

export const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`;

// ---- the server

const run = promisify(execFile);

export function connectionString(role, name = "sdk test") {
	const { PGHOST, PGPORT, PGDATABASE } = process.env;
	const address = `${role}@${encodeURIComponent(PGHOST)}:${PGPORT}/${PGDATABASE}`;

	return `postgresql://${address}?application_name=${encodeURIComponent(name)}`;
}

// Asks the server as the superuser, with a connection for each question, which
// makes a restart of the server nothing special.
export async function sql(text, ...parameters) {
	const client = new pg.Client({
		connectionString: connectionString(process.env.PGUSER),
	});

	await client.connect();
	try {
		return (await client.query(text, parameters)).rows;
	} finally {
		await client.end();
	}
}

// What a person at a terminal gets.
export async function psql(role, command) {
	const options = ["-XqAt", "-v", "ON_ERROR_STOP=1", "-U", role, "-c", command];

	return (await run("psql", options)).stdout.trim();
}

// Whether a connection of that name waits for notifications.
async function isListening(name) {
	const [{ count }] = await sql(
		`SELECT count(*)::int FROM pg_stat_activity
		 WHERE application_name = $1 AND query ILIKE 'LISTEN %'`,
		name,
	);
	return count > 0;
}

export async function stopServer(mode) {
	await run("pg_ctl", ["-D", dataDirectory, "-m", mode, "-w", "-t", "300", "-s", "stop"]);
}

export async function startServer() {
	// Without pipes, which the server would hold open for as long as it lives.
	const child = spawn(
		"pg_ctl",
		["-D", dataDirectory, "-l", logFile, "-w", "-t", "300", "-s", "start"],
		{ stdio: "ignore" },
	);
	const status = await new Promise((resolve) => child.on("exit", resolve));

	if (status !== 0) {
		throw new Error("the server does not start");
	}
}

// ---- the journal and the gates

const journal = join(directory, "sdk.journal");
const gates = join(directory, "sdk.gates");

writeFileSync(journal, "");
mkdirSync(gates);

// All lines with this text, in the order of their writing.
export function noted(what) {
	return readFileSync(journal, "utf8")
		.split("\n")
		.slice(0, -1)
		.map((line) => JSON.parse(line))
		.filter((line) =>
			what instanceof RegExp ? what.test(line.what) : line.what === what,
		);
}

// The names of the workers that wrote the lines.
export const workersOf = (lines) => [...new Set(lines.map((line) => line.worker))].sort();

// Returns the lines when there are that many.
export function waitForNote(what, times = 1) {
	return waitFor(`the journal says: ${what}`, () => {
		const lines = noted(what);
		return lines.length >= times && lines;
	});
}

export function openGate(gate) {
	writeFileSync(join(gates, gate), "");
}

// The id of the promise that the workflow says it awaits.
export async function announced(workflow) {
	const prefix = `${workflow} awaits `;
	const [{ what }] = await waitForNote(new RegExp(`^${workflow} awaits `));

	return what.slice(prefix.length);
}

// ---- workers

const workers = new Set();
let nextCall = 1;

// What the SDK complained of, in any process.
export const complaints = [];

export function complain(level, message, detail) {
	complaints.push(`${level}: ${message}${detail ? ` (${detail})` : ""}`);
}

// An offer that is not taken in time is made again, so on a busy machine somebody
// may come second, to whom the protocol wants the status 409.  The SDK says so and
// goes on.  The TypeScript SDK reports a refusal of what belongs to a lease in
// other words.
export const isStaleOffer = (complaint) => STALE_OFFER.test(complaint);

// A process that obeys commands; see worker.mjs.
export class Worker {
	// One that is kept is followed by another process when it ends, as a
	// supervisor would have it.
	constructor(config, isKept) {
		this.config = config;
		this.isKept = isKept;
		this.calls = new Map();
		workers.add(this);
	}

	// Returns when the process listens for work.
	async start() {
		const { name } = this.config;

		this.spawn();
		await waitFor(`worker ${name} listens`, () => isListening(name));
	}

	spawn() {
		const [program, ...args] = engines[this.config.engine].command;
		let stderr = "";

		this.child = spawn(program, [...args, JSON.stringify(this.config)]);
		// What it is asked for when it has just been killed.
		this.child.stdin.on("error", () => {});
		this.child.stderr.on("data", (data) => {
			stderr = (stderr + data).slice(0, 2000);
		});
		createInterface({ input: this.child.stdout }).on("line", (line) =>
			this.receive(JSON.parse(line)),
		);
		this.hasEnded = new Promise((resolve) => {
			this.child.on("close", (status, signal) => {
				if (this.isKept) {
					delay(100).then(() => this.isKept && this.spawn());
				} else if (!this.isStopped) {
					console.log(
						`# worker ${this.config.name} ended with ${signal ?? status}`,
					);
					console.log(stderr.replace(/^/gm, "#     "));
				}
				resolve();
			});
		});
	}

	receive({ level, message, detail, call, result, failure }) {
		if (level) {
			complain(level, message, detail);
			return;
		}
		const { resolve, reject } = this.calls.get(call);
		this.calls.delete(call);
		failure === undefined ? resolve(result) : reject(new Error(failure));
	}

	// Has the process do something.
	ask(command, args) {
		return new Promise((resolve, reject) => {
			const call = nextCall++;

			this.calls.set(call, { resolve, reject });
			this.child.stdin.write(`${JSON.stringify({ call, do: command, ...args })}\n`);
		});
	}

	// Has the process itself call run() of the SDK.
	run(id, func, ...args) {
		return this.ask("run", { id, func, args });
	}

	// Ends the process, at once and unprepared.
	async stop() {
		this.isKept = false;
		this.isStopped = true;
		workers.delete(this);
		this.child?.kill("SIGKILL");
		await this.hasEnded;
	}
}

// The configuration of a process of that name.
export function configure({ engine, group, name, ttl }) {
	const address = connectionString("sdk_worker", name);

	return { engine, group, name, ttl, journal, gates, connectionString: address };
}

// Gives the body two workers of a group, and ends those that are left.
export async function withWorkers({ engine, group, ttl, isKept }, body) {
	const pair = [1, 2].map((number) => {
		const name = `${group} ${number}`;
		return new Worker(configure({ engine, group, name, ttl }), isKept);
	});

	try {
		await Promise.all(pair.map((worker) => worker.start()));
		return await body(pair);
	} finally {
		await Promise.all(pair.map((worker) => worker.stop()));
	}
}

process.on("exit", () => {
	for (const worker of workers) {
		worker.child?.kill("SIGKILL");
	}
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
	process.on(signal, () => process.exit(1));
}
