// What the SDK does while all its workers are whole.

import { decide, stateOf } from "./client.mjs";
import {
	announced,
	complaints,
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
	const result = await within(id, workers[0].run(id, "order", 7));

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

	await client.call(engine, id, "order", [1]);
	await client.offer(id, 1);
	await waitFor(
		`a stale offer of ${id} is refused`,
		() => complaints.filter(isStaleOffer).length > before,
	);
	is(noted(`${id} charges`).length, 1, `${engine}: a stale offer changes nothing`);
}

export async function checkSleep(engine, client) {
	const slept = await client.call(engine, `${engine}-nap`, "nap", [400, 3]);

	ok(slept >= 1200, `${engine}: sleep is not too short`, slept);
	ok(slept < 60_000, `${engine}: nor too long`, slept);
	show(`${engine}: 3 naps of 400 ms took ${slept} ms`);
}

export async function checkHuman(engine, client) {
	const id = `${engine}-approval`;
	await client.begin(engine, id, "approval");
	const promise = await announced(id);

	is(await stateOf(id), "pending", `${engine}: the workflow waits for the person`);
	is(
		await decide(promise, '{"ok":true}'),
		"2010",
		`${engine}: psql resolves the promise`,
	);
	const result = await client.resultOf(id);
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

	await client.schedule(engine, name, "* * * * * *", "tick", [name]);
	is(await client.cronOf(name), "* * * * * *", `${engine}: a schedule is stored`);
	await waitForNote(`${name} ticks`, 2);
	ok(true, `${engine}: a schedule fires each second`);
	await client.unschedule(name);
	const failure = await failureOf(client.cronOf(name));
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

	ok(/failed on purpose/.test(broken), `${engine}: a failure reaches the client`, broken);
	is(await stateOf(`${engine}-broken`), "rejected", `${engine}: and rejects the promise`);
	const caught = await client.call(engine, `${engine}-catching`, "catching");
	ok(
		/^caught: .*failed on purpose/.test(caught),
		`${engine}: and reaches a caller that catches it`,
		caught,
	);
	show(`${engine}: broken() failed, catching() = "${caught}"`);
}

export async function checkRetries(engine, client) {
	const id = `${engine}-flaky`;
	const tries = await client.call(engine, id, "flaky");

	is(tries, 3, `${engine}: run() is retried`);
	is(noted(`${id} tries`).length, 3, `${engine}: as often as needed`);
	show(`${engine}: flaky() = ${tries} tries`);
}

export async function checkEnds(engine, client) {
	// Long enough to be asleep by then on a busy machine: whoever is still at it is
	// refused.
	const timeout = 5000;
	const late = await failureOf(
		client.call(engine, `${engine}-late`, "nap", [600_000, 1], { timeout }),
	);
	ok(/time/i.test(late), `${engine}: a workflow has a deadline`, late);
	is(
		await stateOf(`${engine}-late`),
		"rejected_timedout",
		`${engine}: which the database keeps`,
	);

	const id = `${engine}-canceled`;
	await client.begin(engine, id, "approval");
	await announced(id);
	await psql("sdk_client", `SELECT resonate.cancel('${id}')`);
	const canceled = await failureOf(client.resultOf(id));
	ok(/canceled/.test(canceled), `${engine}: a workflow can be canceled from SQL`, canceled);
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
