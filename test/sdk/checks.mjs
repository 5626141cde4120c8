// What the SDK does while all its workers are whole.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";

import { decide, stateOf, withClient } from "./client.mjs";
import {
	announced,
	complaints,
	connectionString,
	failureOf,
	is,
	isStaleOffer,
	noted,
	ok,
	psql,
	seconds,
	show,
	sql,
	waitFor,
	waitForNote,
	withWorkers,
	within,
	workersOf,
} from "./harness.mjs";

export async function checkFib(engine, client) {
	const start = Date.now();
	const n = 10;
	// Ends are counted below, and the two engines have one name for them.
	const isMine = (line) => line.worker.startsWith(`${engine} `);

	is(await client.call(engine, `${engine}-fib`, "fib", [n]), 55, `${engine}: recursion`);

	const ends = noted("fib ends").filter(isMine);
	const counts = workersOf(ends).map(
		(worker) => ends.filter((line) => line.worker === worker).length,
	);
	is(ends.length, 177, `${engine}: each call of the recursion ended once`);
	is(counts.length, 2, `${engine}: both workers took part`);
	show(
		`${engine}: fib(${n}) = 55 over 2 workers (${counts.join(" and ")} calls), ` +
			seconds(Date.now() - start),
	);
}

export async function checkFan(engine, client) {
	const result = await client.call(engine, `${engine}-fan`, "fan", [20]);

	is(result, 2 * 2870, `${engine}: fan-out by run and rpc`);
	show(`${engine}: 20 remote and 20 local squares, sum ${result}`);
}

export async function checkRun(engine, client, workers) {
	const id = `${engine}-run`;
	const result = await within(id, workers[0].call(id, "order", 7));

	is(result, 7 + 49, `${engine}: run() in a worker`);
	is(
		await client.call(engine, id, "order", [8]),
		56,
		`${engine}: an id is executed once`,
	);
	is(noted(`${id} charges`).length, 1, `${engine}: so its steps ran once`);
	is(
		(await sql("SELECT value FROM resonate.get_promise($1)", id))[0].value,
		56,
		`${engine}: the typed functions see the result`,
	);
	show(`${engine}: order(7) = ${result} by run() in a worker`);
}

// What a busy machine does now and then: an offer arrives when the work is done.
export async function checkStaleOffer(engine, client) {
	const id = `${engine}-stale`;
	const before = complaints.filter(isStaleOffer).length;
	const task = { id, version: 1 };

	await client.call(engine, id, "order", [1]);
	client.resonate.network.deliver({ kind: "execute", head: {}, data: { task } });
	await waitFor(
		`a stale offer of ${id} is refused`,
		() => complaints.filter(isStaleOffer).length > before,
	);
	is(noted(`${id} charges`).length, 1, `${engine}: a stale offer changes nothing`);
}

export async function checkSleep(engine, client) {
	const slept = await client.call(engine, `${engine}-nap`, "nap", [400, 3]);

	ok(slept >= 1200, `${engine}: sleep is not too short`, slept);
	ok(slept < 30_000, `${engine}: nor too long`, slept);
	show(`${engine}: 3 naps of 400 ms took ${slept} ms`);
}

export async function checkHuman(engine, client) {
	const id = `${engine}-approval`;
	const handle = await client.begin(engine, id, "approval");
	const promise = await announced(id);

	is(await stateOf(id), "pending", `${engine}: the workflow waits for the person`);
	is(
		await decide(promise, '{"ok":true}'),
		"2010",
		`${engine}: psql resolves the promise`,
	);
	const result = await within(id, handle.result());
	is(result, { decision: { ok: true } }, `${engine}: the workflow sees the value`);
	show(`${engine}: approval() = ${JSON.stringify(result)}, resolved from psql`);
}

export async function checkDetached(engine, client) {
	const child = await client.call(engine, `${engine}-launch`, "launch");
	const promise = await announced(child);

	is(
		await stateOf(child),
		"pending",
		`${engine}: a detached workflow outlives its parent`,
	);
	await decide(promise, '"late"');
	const result = await client.resultOf(child);
	is(result, { decision: "late" }, `${engine}: and ends by itself`);
	show(`${engine}: launch() = ${child}, which then gave ${JSON.stringify(result)}`);
}

export async function checkSchedule(engine, client) {
	const name = `${engine}-schedule`;
	const { resonate } = client;
	const schedule = await resonate.schedule(
		name,
		"* * * * * *",
		"tick",
		name,
		resonate.options({ target: engine }),
	);
	const stored = await resonate.schedules.get(name);

	is(stored.cron, "* * * * * *", `${engine}: a schedule is stored`);
	await waitForNote(`${name} ticks`, 2);
	ok(true, `${engine}: a schedule fires each second`);
	await schedule.delete();
	const failure = await failureOf(resonate.schedules.get(name));
	ok(!failure.startsWith("no failure"), `${engine}: a deleted schedule is gone`, failure);
	// Nothing may come after this instant; that is looked at in the end.
	const [{ now }] = await sql("SELECT clock_timestamp() AS now");
	show(
		`${engine}: ${name} ticked ${noted(`${name} ticks`).length} times, then was deleted`,
	);
	return { name, now };
}

export async function checkFailures(engine, client) {
	const broken = await failureOf(client.call(engine, `${engine}-broken`, "broken"));

	is(broken, "failed on purpose", `${engine}: a failure reaches the client`);
	is(await stateOf(`${engine}-broken`), "rejected", `${engine}: and rejects the promise`);
	const caught = await client.call(engine, `${engine}-catching`, "catching");
	is(
		caught,
		"caught: failed on purpose",
		`${engine}: and reaches a caller that catches it`,
	);

	const id = `${engine}-flaky`;
	const tries = await client.call(engine, id, "flaky");
	is(tries, 3, `${engine}: run() is retried`);
	is(noted(`${id} tries`).length, 3, `${engine}: as often as needed`);
	show(`${engine}: broken() failed, catching() = "${caught}", flaky() = ${tries} tries`);
}

export async function checkEnds(engine, client) {
	const late = await failureOf(
		client.call(engine, `${engine}-late`, "nap", [60_000, 1], { timeout: 700 }),
	);
	is(late, "Promise timedout", `${engine}: a workflow has a deadline`);

	const id = `${engine}-canceled`;
	const handle = await client.begin(engine, id, "approval");
	await announced(id);
	await psql("sdk_client", `SELECT resonate.cancel('${id}')`);
	const canceled = await failureOf(within(id, handle.result()));
	is(canceled, "Promise canceled", `${engine}: a workflow can be canceled from SQL`);
	show(
		`${engine}: a nap past its deadline: "${late}"; a canceled approval: "${canceled}"`,
	);
}

export async function checkMany(engine, client) {
	const start = Date.now();
	const numbers = Array.from({ length: 200 }, (_, i) => i);
	const results = await Promise.all(
		numbers.map((i) => client.call(engine, `${engine}-many-${i}`, "order", [i])),
	);
	const elapsed = Date.now() - start;
	const charges = noted(new RegExp(`^${engine}-many-\\d+ charges$`));

	is(
		results,
		numbers.map((i) => i + i * i),
		`${engine}: 200 workflows at once`,
	);
	is(charges.length, 200, `${engine}: each step of them ran once`);
	is(workersOf(charges).length, 2, `${engine}: on both workers`);
	show(`${engine}: 200 orders at once in ${seconds(elapsed)}`);
}

// ---- the next version of the SDK, whose sleep is a timer with a target

export async function checkNext(engine) {
	const role = "sdk_next";
	const { version } = JSON.parse(
		readFileSync("node_modules/sdk-next/package.json", "utf8"),
	);

	await withWorkers({ engine, group: engine, role }, (workers) =>
		withClient({ engine, role }, async (client) => {
			const id = `${engine}-run`;

			is(await within(id, workers[0].call(id, "order", 7)), 56, `${engine}: run()`);
			is(
				await client.call(engine, `${engine}-fan`, "fan", [10]),
				770,
				`${engine}: rpc()`,
			);
			const slept = await client.call(engine, `${engine}-nap`, "nap", [400, 2]);
			ok(slept >= 800 && slept < 30_000, `${engine}: sleep`, slept);
			show(
				`${engine}: SDK ${version}: order(7) = 56, fan(10) = 770, ` +
					`2 naps of 400 ms took ${slept} ms`,
			);
		}),
	);
}

// ---- the example of the manual, which ends by itself

export async function checkExample() {
	const run = () =>
		within(
			"the example",
			promisify(execFile)(process.execPath, [...process.execArgv, "example.mjs"], {
				env: { ...process.env, DATABASE_URL: connectionString("sdk_worker") },
			}),
		);
	const first = await run();

	is(first.stdout, "HELLO WORLD!\n", "the example works");
	is((await run()).stdout, first.stdout, "and gives the same when repeated");
	show(`example.mjs printed ${first.stdout.trim()}`);
}
