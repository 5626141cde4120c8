// Runs the SDKs that are installed against the server and reports in TAP.
//
// Workers and clients are processes of their own, in the language of the SDK; this
// one tells them what to do.  Parts that need the workers whole run side by side;
// those that kill workers or stop the server have workers of their own.

import { readFileSync } from "node:fs";

import {
	checkFib,
	checkFan,
	checkRun,
	checkSleep,
	checkStaleOffer,
	checkHuman,
	checkDetached,
	checkSchedule,
	checkFailures,
	checkRetries,
	checkEnds,
	checkMany,
} from "./checks.mjs";
import { withClient } from "./client.mjs";
import { installed, lacks } from "./engines.mjs";
import {
	complaints,
	finish,
	is,
	isStaleOffer,
	logFile,
	ok,
	part,
	show,
	sql,
	withWorkers,
} from "./harness.mjs";
import { checkKill, checkLongStep, checkRestarts } from "./losses.mjs";

await sql("CREATE EXTENSION resonate");
await sql("CREATE ROLE sdk_worker LOGIN IN ROLE resonate_worker");
await sql("CREATE ROLE sdk_client LOGIN IN ROLE resonate_client");

const schedules = [];

async function checkEngine(engine) {
	await withWorkers({ engine, group: engine }, (workers) =>
		withClient(engine, async (client) => {
			const check = (name, body) => part(`${engine}: ${name}`, body);

			await check("recursion", () => checkFib(engine, client));
			await Promise.all([
				check("fan-out", () => checkFan(engine, client)),
				check("run", () => checkRun(engine, client, workers)),
				check("sleep", () => checkSleep(engine, client)),
				check("human in the loop", () => checkHuman(engine, client)),
				check("detached", () => checkDetached(engine, client)),
				check("schedule", async () => {
					schedules.push(await checkSchedule(engine, client));
				}),
				check("failures", () => checkFailures(engine, client)),
				lacks(engine, "stale offers") ||
					check("stale offer", () => checkStaleOffer(engine, client)),
				lacks(engine, "retries") ||
					check("retries", () => checkRetries(engine, client)),
				check("other ends", () => checkEnds(engine, client)),
				check("kill", () => checkKill(engine, client)),
				check("long step", () => checkLongStep(engine, client)),
			]);
			await check("many", () => checkMany(engine, client));
		}),
	);
}

await part("the role of the workers", async () => {
	const [role] = await sql(`
		SELECT rolsuper OR rolcreaterole OR rolbypassrls AS is_mighty,
			ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid) AS roles
		FROM pg_roles r WHERE rolname = 'sdk_worker'`);
	is(
		role,
		{ is_mighty: false, roles: ["resonate_worker"] },
		"workers have one role only",
	);
	show("all workers and clients of the SDK connect as a member of resonate_worker only");
});

for (const engine of installed) {
	await part(`${engine}: workers`, () => checkEngine(engine));
}
// Up to here only workers were lost: nothing was refused to who had a lease, but
// for a workflow whose deadline may find a worker at it.
is(
	complaints.filter(
		(text) => !/'failTwice'|[a-z]+-late/.test(text) && !isStaleOffer(text),
	),
	[],
	"the SDKs have nothing to complain of",
);

for (const mode of ["fast", "immediate"]) {
	await checkRestarts(installed, mode);
}

// ---- what must be true in the end

for (const { name, now } of schedules) {
	await part(`${name}: deletion`, async () => {
		const [{ count }] = await sql(
			`SELECT count(*)::int FROM resonate.promises
			 WHERE starts_with(id, $1 || '-') AND to_timestamp(created_at / 1000.0) > $2`,
			name,
			now,
		);
		is(count, 0, `${name}: nothing fired after the deletion`);
	});
}

await part("tasks", async () => {
	is(await sql("SELECT * FROM resonate.tasks"), [], "no task is left");
});

await part("log", async () => {
	// A client may cancel its own statement, as psycopg does when it ends.
	const errors = readFileSync(logFile, "utf8")
		.split("\n")
		.filter((line) => / (ERROR|PANIC): (?! *canceling statement due to user)/.test(line));
	ok(errors.length === 0, "the server logged no error", errors.slice(0, 20).join("\n"));
});

await part("invariants", async () => {
	is(await sql("SELECT * FROM resonate.check_invariants()"), [], "all invariants hold");
});

process.exit(finish());
